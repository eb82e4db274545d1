import type { Command } from 'commander'
import { askController } from '#cli/admin-client.ts'
import { agrees } from '#cli/agrees.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { NoAnswerFailure, withGatewayOptions } from '#cli/gateway-client.ts'
import { fitLocally, planLocally, searchLocally } from '#cli/local-planner.ts'
import {
  askPlacement,
  type Placement,
  placementQuestion,
  type Question,
  type QuestionOptions,
  questionOf,
  wishesIn,
  withFleetHeaders,
} from '#cli/placement-question.ts'
import { planText, problemLines } from '#cli/plan-text.ts'
import { supposedHeading, supposedLines } from '#cli/supposed-text.ts'
import { survivalText } from '#cli/survival-text.ts'
import { targetProblems } from '#cli/target-problems.ts'
import { printJson } from '#cli/terminal.ts'
import { thereIs } from '#cli/there-is.ts'
import { whyNotText } from '#cli/why-not-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import { type AppliedChange, isNothing, settleWishes, type Wishes } from '#controller/deploying.ts'
import { noDeployments } from '#controller/deployment-state.ts'
import { nodeLosses } from '#placement/survival.ts'
import { whyNot } from '#placement/why-not.ts'

interface PlanFlags extends QuestionOptions {
  readonly n1?: boolean
  readonly json?: boolean
}

const inventoryHelp = 'plan on what "motley nodes --json" printed, without a controller'

export function addPlanCommand(program: Command): void {
  withGatewayOptions(program.command('plan'))
    .description('Show what would run where, and why, and what would have to change for it.')
    .argument('[file]', 'what should run (default: what the controller has)')
    .option('--inventory <file>', inventoryHelp)
    .option(
      '--what-if <change>',
      '"add rtx-3090 24GiB", "add … to <node>", "lose <node>"; may be repeated',
      (text: string, all: readonly string[] = []) => [...all, text],
    )
    .option('--n-1', 'what the loss of each node would mean')
    .option('--json', 'print the plan with every candidate and its numbers')
    .addHelpText('after', '\nNothing is changed. Exits with 1 when something has no place.')
    .action(async (file: string | undefined, { n1, json, ...options }: PlanFlags) => {
      const { input, unsupposed, problems } = await askedOf(file, options)
      const plan = planLocally(input)
      const supposed = options.whatIf ?? []
      if (n1) {
        const losses = nodeLosses(input, plan, searchLocally)
        if (json) printJson({ plan: plan.id, unplaced: plan.unplaced, losses })
        else console.log([...supposedHeading(supposed), survivalText(losses, plan)].join('\n'))
        const isShort = (one: Pick<typeof plan, 'unplaced'>) => one.unplaced.length > 0
        if ([plan, ...losses].some(isShort)) process.exitCode = 1
        return
      }
      const all = [...problems, ...targetProblems(input, plan)]
      if (json) printJson({ ...plan, problems: all, supposed })
      else {
        const before =
          unsupposed === null ? null : { input: unsupposed, plan: planLocally(unsupposed) }
        const now = { input, plan }
        const lines = [
          ...supposedHeading(supposed),
          planText(input, plan),
          ...(file === undefined && input.deployments.length === 0 ? withoutFile : []),
          ...(before === null ? [] : supposedLines(before, now, fitLocally)),
          ...problemLines(all),
        ]
        console.log(lines.join('\n'))
      }
      if (plan.unplaced.length > 0) process.exitCode = 1
    })
}

/** @throws {CommandFailure} that says how to ask without a controller. */
async function askedOf(file: string | undefined, options: QuestionOptions): Promise<Question> {
  try {
    return await placementQuestion(file, options)
  } catch (error) {
    if (!(error instanceof NoAnswerFailure)) throw error
    const without =
      'or plan without one: --inventory FILE takes what "motley nodes --json > FILE" wrote where one runs'
    throw new NoAnswerFailure('unreachable', `${error.message}, ${without}`, { cause: error })
  }
}

const withoutFile = [
  '',
  'The controller was told of none. "motley plan FILE" shows what a file would',
  '  change, and "motley apply FILE" does it.',
]

export function addApplyCommand(program: Command): void {
  withGatewayOptions(program.command('apply'))
    .description('Make the fleet run what a file says; what it no longer names ends.')
    .argument('[file]', 'its deployments, models and nodes (default: motley.yaml)')
    .option('--yes', 'do not ask')
    .option('--json', 'print what has changed, and the plan')
    .action(apply)
}

async function apply(
  file: string | undefined,
  { yes, json, ...options }: QuestionOptions & { yes?: boolean; json?: boolean },
): Promise<void> {
  const wishes = wishesIn(file)
  const placement = await askPlacement(options)
  const { own, change } = settled(placement, wishes)
  const question = questionOf(await withFleetHeaders(placement, own, options), own, [])
  const { input, problems } = question
  const plan = planLocally(input)
  if (plan.unplaced.length > 0) process.exitCode = 1
  if (!json) {
    const all = [...problems, ...targetProblems(input, plan)]
    console.log([planText(input, plan), ...problemLines(all)].join('\n'))
  }
  if (isNothing(change)) {
    if (json) printJson({ ...change, plan })
    else console.log('\nNothing to apply: this is what the controller was told already.')
    return
  }
  await agrees(yes, { question: 'Apply this?', undone: 'nothing was applied', toDo: 'apply it' })
  const revision = placement.page.wanted?.revision
  const body = { ...own, ...(revision === undefined ? {} : { revision }) }
  await askController('/admin/v1/deployments', options, { method: 'PUT', body })
  if (json) printJson({ ...change, plan })
  else console.log(`\n${changeText(change, own)}`)
}

/** @throws {CommandFailure} where the file contradicts the configuration of the controller. */
function settled({ page }: Placement, wishes: Wishes): ReturnType<typeof settleWishes> {
  try {
    return settleWishes(page.wanted ?? noDeployments, wishes)
  } catch (error) {
    if (error instanceof ControllerRefusal) throw new CommandFailure('no', error.message)
    throw error
  }
}

function changeText(
  { added, changed, removed, nodes, models }: AppliedChange,
  { deployments }: Wishes,
): string {
  // That a model is new to clients is said with its deployment.
  const known = new Set(
    deployments.filter(({ name }) => !added.includes(name)).map(({ model }) => model),
  )
  const offered = models.filter((model) => known.has(model))
  const parts = [
    ...(added.length > 0 ? [`added ${added.join(', ')}`] : []),
    ...(changed.length > 0 ? [`changed ${changed.join(', ')}`] : []),
    ...(removed.length > 0 ? [`removed ${removed.join(', ')}`] : []),
    ...(offered.length > 0 ? [`changed how clients reach ${offered.join(', ')}`] : []),
    ...(nodes.length > 0 ? [`changed what is said of ${nodes.join(', ')}`] : []),
  ]
  const what = parts.length > 0 ? parts.join('; ') : 'what clients may ask for'
  // An example that is there: what was removed has nothing left to say.
  const [example] = [...added, ...changed, ...deployments.map(({ name }) => name)]
  const next =
    example === undefined
      ? '"motley replicas" shows what has yet to end.'
      : `"motley why ${example}" says how far it is.`
  return wrapped(`Applied: ${what}. ${next}`, terminalWidth, '  ').join('\n')
}

interface WhyNotFlags extends QuestionOptions {
  readonly file?: string
  readonly all?: boolean
  readonly json?: boolean
}

export function addWhyNotCommand(program: Command): void {
  withGatewayOptions(program.command('why-not'))
    .description('Say why a deployment is not on a node: all that is against it there.')
    .argument('<name>', 'a deployment')
    .argument('<node>')
    .option('--file <file>', 'what should run (default: what the controller has)')
    .option('--inventory <file>', inventoryHelp)
    .option('--all', 'tell what is against other devices and engines there too')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExits with 1 when it cannot be there. What the terms of a\nscore are, as "oversize": docs/reference/plan.md.',
    )
    .action(
      async (deployment: string, node: string, { file, all, json, ...options }: WhyNotFlags) => {
        const question = await askedOf(file, options)
        const { input } = question
        const of = namesIn(question, deployment, node)
        const answer = whyNot(input, planLocally(input), fitLocally, of)
        if (json) printJson(answer)
        else console.log(whyNotText(input, answer, { deployment, node: of.node }, all))
        if (answer.verdict === 'refused') process.exitCode = 1
      },
    )
}

/** @throws {CommandFailure} */
function namesIn(
  { input }: Question,
  deployment: string,
  node: string,
): { readonly deployment: string; readonly node: string } {
  const { deployments, inventory } = input
  if (!deployments.some(({ name }) => name === deployment)) {
    const names = deployments.map(({ name }) => name)
    throw new CommandFailure(
      'no',
      `there is no deployment "${deployment}"${thereIs(deployment, names)}`,
    )
  }
  const found = inventory.nodes.find(({ id, name }) => name === node || id === node)
  if (found !== undefined) return { deployment, node: found.id }
  const names = inventory.nodes.map(({ name }) => name)
  throw new CommandFailure('no', `there is no node "${node}"${thereIs(node, names)}`)
}
