/** The words of `motley why` for a deployment or a replica: how it is, and what made it so. */
import { z } from 'zod'
import { agoText } from '#cli/ago-text.ts'
import { replicaAnswer } from '#cli/fleet-text.ts'
import { pastOf } from '#cli/last-end-text.ts'
import type { Placement } from '#cli/placement-question.ts'
import { counted, unplacedBecause } from '#cli/plan-text.ts'
import { scoreLines } from '#cli/score-text.ts'
import { paint } from '#cli/terminal.ts'
import { unheardState, unheardText } from '#cli/unheard-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

const blocker = z.object({
  check: z.string(),
  code: z.string().optional(),
  on: z.array(z.string()).default([]),
  engines: z.array(z.string()).optional(),
  what: z.string(),
  unlockedBy: z.string().nullable(),
})

const step = z.looseObject({
  kind: z.enum(['start', 'stop']),
  step: z.string(),
  because: z.string(),
  replica: z.looseObject({ id: z.string(), deployment: z.string().nullable() }),
})

const candidate = z.looseObject({
  deployment: z.string(),
  node: z.string(),
  devices: z.array(z.string()),
  verdict: z.string(),
  score: z.record(z.string(), z.number()).nullable(),
  /** An earlier version does not tell. */
  speedBasis: z.string().nullish(),
})

/** What is used of GET /admin/v1/plans. */
export const plansAnswer = z.object({
  plans: z.array(
    z.object({
      id: z.string(),
      madeAtMs: z.number(),
      because: z.string(),
      steps: z.array(step),
      unplaced: z.array(
        z.object({
          deployment: z.string(),
          missing: z.number(),
          because: z.array(blocker),
          waitsFor: z.array(z.string()),
        }),
      ),
      candidates: z.array(candidate),
    }),
  ),
})
type KeptPlan = z.output<typeof plansAnswer>['plans'][number]

const shownReplica = replicaAnswer.extend({
  placed: z
    .object({
      deployment: z.string(),
      devices: z.array(z.string()),
      engine: z.string(),
      backend: z.string(),
      contextTokens: z.number(),
      slots: z.number(),
      plan: z.string(),
      because: z.string(),
      wantedAtMs: z.number(),
    })
    .nullable(),
})
type ShownReplica = z.output<typeof shownReplica>

const shownFailure = z.object({
  deployment: z.string(),
  node: z.string(),
  because: z.string(),
  /** In a row; an earlier version does not tell. */
  times: z.number().default(1),
  untilMs: z.number().optional(),
})

export interface WhyPlacement extends Placement {
  /** The newest first. */
  readonly plans: readonly KeptPlan[]
}

/** Null where there is neither a deployment nor a replica of that name. */
export function deploymentOf({ page, picture }: WhyPlacement, name: string): string | null {
  if (page.deployments.some((deployment) => deployment.name === name)) return name
  const replica = replicasIn(picture.replicas).find(({ spec }) => spec.id === name)
  return replica?.placed?.deployment ?? null
}

/** `nowMs`: to say how long ago. */
export function deploymentWhyText(why: WhyPlacement, deployment: string, nowMs: number): string {
  const { page, picture, plans } = why
  const standing = page.standings[deployment]
  const replicas = replicasIn(picture.replicas).filter(
    ({ placed }) => placed?.deployment === deployment,
  )
  const ready = replicas.filter(
    ({ presence, reported }) => presence === 'ready' && reported?.state === 'ready',
  ).length
  const wanted = standing?.wanted ?? 0
  const first = `${paint('bold', deployment)}: ${counted(wanted, 'replica')} wanted, ${ready} ready; by ${originText(standing?.origin)}.`
  return [
    first,
    ...(standing?.because == null
      ? []
      : wrapped(`It is ${wanted} because ${standing.because}.`, terminalWidth, '  ')),
    ...(standing?.unread ?? []).flatMap(({ source, because }) =>
      wrapped(
        `Nobody has read ${source} yet${because === null ? '' : `: ${because}`}`,
        terminalWidth,
        '  ',
      ),
    ),
    ...replicas.flatMap((replica) => ['', ...replicaLines(why, replica, nowMs)]),
    ...section('On its way:', underWay(why, deployment)),
    ...section('Without a place:', unplacedOf(plans[0], deployment)),
    ...section(
      'Left alone for now ("motley retry" tries again at once):',
      failuresOf(why, deployment, nowMs),
    ),
    ...section('What happened, the newest first:', historyOf(plans, deployment, nowMs)),
  ].join('\n')
}

function originText(origin: string | undefined): string {
  return origin === 'configuration' ? "the controller's configuration" : '"motley apply"'
}

function replicaLines(why: WhyPlacement, replica: ShownReplica, nowMs: number): string[] {
  const { spec, nodeName, placed, reported } = replica
  if (placed === null) return []
  const state = unheardState(replica) ?? reported?.state ?? 'not told yet'
  const unheard = unheardText(replica)
  const { engine, backend, contextTokens, slots, devices } = placed
  const plan = why.plans.find(({ id }) => id === placed.plan)
  const reason = plan === undefined ? '' : `, made because ${plan.because}`
  return [
    `${paint('bold', spec.id)} on ${nodeName} (${devices.join(', ')}): ${state}`,
    ...(unheard === null ? [] : indented(unheard)),
    ...indented(`${engine} on ${backend}, context ${contextTokens}, ${counted(slots, 'slot')}`),
    ...indented(`for ${agoText(nowMs - placed.wantedAtMs)}, by ${placed.plan}${reason}`),
    ...indented(placed.because),
    ...(reported === null ? [] : pastOf(reported, nowMs).flatMap(indented)),
    ...(reported?.detail == null ? [] : indented(reported.detail)),
    ...scoresOf(why, plan, placed.deployment),
  ]
}

/** The place that was chosen beside the best of the rest. */
function scoresOf(why: WhyPlacement, plan: KeptPlan | undefined, deployment: string): string[] {
  const records = (plan?.candidates ?? []).filter((one) => one.deployment === deployment)
  const places = records.flatMap(({ node, score, speedBasis }) =>
    score === null ? [] : [{ title: nodeNameOf(why, node), score, speedBasis }],
  )
  return places.length === 0 ? [] : scoreLines(places.slice(0, 3))
}

function underWay({ page }: WhyPlacement, deployment: string): string[] {
  const own = (page.plan?.steps ?? []).filter((one) => isOf(one, deployment))
  const begun = new Set(page.plan?.underWay ?? [])
  return own.map((one) => `  ${one}${begun.has(one) ? ' (under way)' : ''}`)
}

/** Steps are named by what is done and to which replica, and those are named by their deployment. */
function isOf(text: string, deployment: string): boolean {
  const [, replica = ''] = text.split(' ')
  return replica.replace(/-\d+$/, '') === deployment
}

function unplacedOf(plan: KeptPlan | undefined, deployment: string): string[] {
  return (plan?.unplaced ?? [])
    .filter((one) => one.deployment === deployment)
    .flatMap(({ because, waitsFor }) => [
      ...unplacedBecause(because, deployment),
      ...waitsFor.flatMap((what) => indented(`waits for ${what}`)),
    ])
}

function failuresOf(why: WhyPlacement, deployment: string, nowMs: number): string[] {
  return why.picture.failures.flatMap((value) => {
    const failure = shownFailure.safeParse(value)
    if (!failure.success || failure.data.deployment !== deployment) return []
    const { node, because, times, untilMs } = failure.data
    const again = untilMs === undefined ? '' : `, tried again in ${agoText(untilMs - nowMs)}`
    const often = times === 1 ? 'once' : `${times} times in a row`
    return indented(`${nodeNameOf(why, node)} (failed ${often}${again}): ${because}`)
  })
}

const eventsShown = 8

function historyOf(plans: readonly KeptPlan[], deployment: string, nowMs: number): string[] {
  const events = plans.flatMap(({ madeAtMs, because, steps }) =>
    steps
      .filter(({ replica }) => replica.deployment === deployment)
      .map((one) => `${agoText(nowMs - madeAtMs)} ago: ${one.step}: ${one.because} (${because})`),
  )
  return events.slice(0, eventsShown).flatMap((text) => wrapped(`  ${text}`, terminalWidth, '    '))
}

function replicasIn(values: readonly unknown[]): ShownReplica[] {
  return values.flatMap((value) => {
    const parsed = shownReplica.safeParse(value)
    return parsed.success ? [parsed.data] : []
  })
}

function nodeNameOf({ picture }: WhyPlacement, id: string): string {
  return picture.nodes.find((node) => node.id === id)?.name ?? id
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines]
}

function indented(text: string): string[] {
  return wrapped(`    ${text}`, terminalWidth, '      ')
}
