import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Command, Option } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { contextOf } from '#cli/count.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { fleetYaml } from '#cli/inventory-fleet-yaml.ts'
import { durationOf, numberOf } from '#cli/load-values.ts'
import {
  fleetOf,
  loadsOf,
  ownFleets,
  ownTraces,
  policiesOf,
  servable,
  targetsOf,
  traceOf,
} from '#cli/simulate-inputs.ts'
import { simulateProgress } from '#cli/simulate-progress.ts'
import { comparisonText } from '#cli/simulate-text.ts'
import { fleetOfLog, realFleet } from '#cli/simulated-fleet.ts'
import { printJson } from '#cli/terminal.ts'
import { wrapped } from '#cli/wrapped.ts'
import { NoBoundError } from '#simulator/bound/fluid-bound.ts'
import { type CompareOptions, type CompareWatch, compare } from '#simulator/compare.ts'
import { type FleetEndpoint, parseFleetFile } from '#simulator/fleet-file.ts'
import type { InventoryFleet } from '#simulator/inventory-fleet.ts'
import { policyNames } from '#simulator/policies.ts'
import { type AccessLog, parseAccessLog } from '#simulator/traces/access-log.ts'
import { TraceError } from '#simulator/traces/parse-trace.ts'
import { type Trace, withinContext } from '#simulator/traces/trace.ts'

/** The first part of a run fills the fleet and is not counted, as far as there is a minute of it. */
const warmUpMs = 60_000

const usualPolicies = 'fastest,least-connections-queue,least-connections,round-robin'

interface CompareArguments {
  readonly fleet: string
  readonly trace: string
  readonly policies?: string
  readonly load: string
  readonly slo: string
  readonly seed: string
  readonly duration: string
  readonly how: 'superpose' | 'compress'
  readonly context: string
  readonly json?: boolean
}

interface ReplayArguments extends GatewayOptions {
  readonly fleet?: string
  readonly policies?: string
  readonly times: string
  readonly slo: string
  readonly seed: string
  readonly json?: boolean
}

interface FleetArguments extends GatewayOptions {
  readonly fromInventory?: string | true
  readonly fromLog?: string
  readonly json?: boolean
}

export function addSimulateCommand(program: Command): void {
  const simulate = program
    .command('simulate')
    .description('Try routing on virtual time: the same code, without any engine.')
  addCompare(simulate)
  addReplay(simulate)
  addFleet(simulate)
}

function addCompare(simulate: Command): void {
  simulate
    .command('compare')
    .description('Compare routing policies on a fleet and a trace.')
    .option('--fleet <file>', 'a fleet file, or one of those below', 'lab')
    .option('--trace <file>', 'a trace, or one of those below', 'azure2023-conv')
    .option('--policies <names>', 'those to compare (default: fastest and three more)')
    .option('--load <numbers>', 'parts of the most that is possible', '0.5,0.8')
    .option('--slo <targets>', 'what counts as in time', 'ttft=2s,tpot=100ms')
    .option('--seed <number>', 'another seed, other requests', '1')
    .option('--duration <time>', 'of requests; a part at first is not counted', '300s')
    .option('--context <tokens>', 'leaves longer prompts out', '8192')
    .addOption(
      new Option('--how <way>', 'how load is made: more users, or quicker ones')
        .choices(['superpose', 'compress'])
        .default('superpose'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
${listed('Fleets:   ', ownFleets)}
${listed('Traces:   ', Object.keys(ownTraces))}
${listed('Policies: ', policyNames)}
Weights are what each endpoint can sustain: "round-robin" goes by them, and
"even-round-robin" is the plain one. Behind a policy, ":0.8" limits each
endpoint to 0.8 of what it can sustain.
The first minute is not counted, of a --duration below 240s its first quarter.
What each policy does: docs/reference/policies.md.`,
    )
    .action(compareCommand)
}

function addReplay(simulate: Command): void {
  withGatewayOptions(simulate.command('replay'))
    .description('Compare routing policies on requests that a gateway has logged.')
    .argument('<access-log>', "the gateway's access log (gateway.accessLog), JSON lines")
    .option('--fleet <file>', 'a fleet file (default: who answered in the log)')
    .option('--policies <names>', 'those to compare (default: fastest and three more)')
    .option('--times <numbers>', 'how many times as many requests a second, up to 5', '1')
    .option('--slo <targets>', 'what counts as in time', 'ttft=2s,tpot=100ms')
    .option('--seed <number>', 'for policies that draw lots', '1')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Without --fleet its endpoints are those that answered in the log, as fast as
they were there; "motley simulate fleet --from-log" writes them into a file.`,
    )
    .action(replayCommand)
}

function addFleet(simulate: Command): void {
  withGatewayOptions(simulate.command('fleet'))
    .description('Write a fleet file of the real fleet, to simulate with.')
    .option('--from-inventory [file]', 'as "motley nodes --json" printed it (default: ask)')
    .addOption(
      new Option('--from-log <access-log>', 'who answered there, and how fast').conflicts(
        'fromInventory',
      ),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Speeds are those that "motley benchmark" measured, else those of the device by
its name. Without a controller it is of this machine alone.`,
    )
    .action(async (options: FleetArguments) => {
      const fleet = await fleetToWrite(options)
      if (options.json) printJson(fleet)
      else console.log(fleetYaml(fleet).trimEnd())
    })
}

async function fleetToWrite(options: FleetArguments): Promise<InventoryFleet> {
  const { fromInventory, fromLog, ...gateway } = options
  if (fromLog === undefined) {
    const file = typeof fromInventory === 'string' ? { inventory: fromInventory } : {}
    return realFleet({ ...gateway, ...file })
  }
  const { answers } = await accessLogOf(fromLog)
  if (answers.some(({ counts }) => counts)) return fleetOfLog(answers, gateway)
  throw new CommandFailure('no', `${fromLog}: it does not tell who answered`)
}

async function compareCommand(options: CompareArguments): Promise<void> {
  const policies = policiesOf(options.policies ?? usualPolicies)
  const durationMs = durationOf(options.duration, '--duration')
  const promptTokensMax = contextOf(options.context, '--context') ?? 0
  const { fleet: fleetName, trace: traceName, how } = options
  const fleet = await fleetOf(fleetName)
  await show({
    ...{ fleetName, fleet, traceName, remarks: [] },
    trace: withinContext(await traceOf(traceName), promptTokensMax),
    slo: options.slo,
    json: options.json === true,
    options: {
      policies,
      loads: loadsOf(options.load, '--load'),
      seed: seedOf(options.seed),
      ...{ how, durationMs },
      warmUpMs: Math.min(warmUpMs, durationMs / 4),
    },
  })
}

async function replayCommand(path: string, options: ReplayArguments): Promise<void> {
  const policies = policiesOf(options.policies ?? usualPolicies)
  const log = await accessLogOf(path)
  const { name, fleet, remarks } = await replayedFleet(path, log, options)
  await show({
    fleetName: name,
    traceName: path,
    ...{ fleet, trace: log.trace },
    remarks: [
      ...remarks,
      ...(log.withoutTokens > 0
        ? [`${count(log.withoutTokens, 'request')} without counts of tokens left out`]
        : []),
      ...(log.failed > 0 ? [`${count(log.failed, 'request')} that failed left out`] : []),
    ],
    slo: options.slo,
    json: options.json === true,
    options: {
      policies,
      loads: loadsOf(options.times, '--times'),
      seed: seedOf(options.seed),
      ...{ how: 'recorded', durationMs: log.trace.spanMs, warmUpMs: 0 },
    },
  })
}

interface ReplayedFleet {
  readonly name: string
  readonly fleet: readonly FleetEndpoint[]
  readonly remarks: readonly string[]
}

async function replayedFleet(
  path: string,
  { answers }: AccessLog,
  options: ReplayArguments,
): Promise<ReplayedFleet> {
  if (options.fleet !== undefined) {
    return { name: options.fleet, fleet: await fleetOf(options.fleet), remarks: [] }
  }
  const told = answers.some(({ counts }) => counts)
  const made = told ? await fleetOfLog(answers, options) : await realFleet(options)
  const name = told ? 'who answered in the log' : 'the real fleet by its inventory'
  const write = `motley simulate fleet${told ? ` --from-log ${path}` : ''}`
  return {
    name,
    fleet: parseFleetFile(fleetYaml(made), name),
    remarks: [
      told
        ? `the fleet is who answered in the log, as fast as there: ${made.endpoints.map((one) => one.name).join(', ')}`
        : 'the log does not tell who answered, so the fleet is what the inventory tells of it',
      ...(told && made.unknown.length > 0
        ? [`not in it, as nobody knows how fast they are: ${made.unknown.join(', ')}`]
        : []),
      `for another, give --fleet; "${write}" writes this one`,
    ],
  }
}

async function accessLogOf(path: string): Promise<AccessLog> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code
    throw new CommandFailure(
      'wrong',
      `${path}: ${why}; "gateway.accessLog" names where it is written`,
    )
  }
  try {
    return parseAccessLog(text, path)
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    throw new CommandFailure('wrong', error.message, { cause: error })
  }
}

interface Shown {
  readonly fleetName: string
  readonly fleet: readonly FleetEndpoint[]
  readonly traceName: string
  readonly trace: Trace
  readonly remarks: readonly string[]
  readonly slo: string
  readonly json: boolean
  readonly options: Omit<CompareOptions, 'fleet' | 'trace' | 'targets'>
}

async function show(of: Shown): Promise<void> {
  const { fleetName, fleet, traceName, options } = of
  const targets = targetsOf(of.slo)
  const { trace, leftOut, onlyModel } = servable(of.trace, fleet)
  const remarks = [
    ...of.remarks,
    ...(onlyModel === null
      ? []
      : [`requests that name no model are for ${onlyModel}, which is all that the fleet serves`]),
    ...(leftOut > 0 ? [`${count(leftOut, 'request')} too long for every endpoint left out`] : []),
  ]
  const progress = simulateProgress(process.stderr, () => performance.now())
  const watch: CompareWatch = {
    begin(requestsByRun) {
      if (options.how !== 'recorded') refuseTooMany(Math.max(...requestsByRun), options.durationMs)
      progress.begin(requestsByRun)
    },
    progress: progress.progress,
  }
  const comparison = await compare({ ...options, fleet, trace, targets }, watch).catch(
    (error: unknown) => {
      if (!(error instanceof NoBoundError)) throw error
      throw new CommandFailure(
        'wrong',
        `${traceName}: ${error.message}; take a trace of more requests than ${trace.requests.length}`,
        { cause: error },
      )
    },
  )
  progress.end()
  const empty = comparison.rows.find(({ metrics }) => metrics.requests === 0)
  if (empty !== undefined) {
    throw new CommandFailure(
      'wrong',
      `no request comes in the time that counts, at ${Number(empty.ratePerSecond.toPrecision(2))} a second: give a longer --duration`,
    )
  }
  const endpoints = fleet.map(({ name }) => name)
  if (of.json) {
    const { seed, how } = options
    printJson({
      fleet: fleetName,
      endpoints,
      trace: traceName,
      targets,
      seed,
      how,
      remarks,
      ...comparison,
    })
    return
  }
  const recorded = options.how === 'recorded'
  console.log(
    comparisonText({
      fleetName: basename(fleetName),
      traceName: basename(traceName),
      ...{ endpoints, targets, recorded, warmUpMs: options.warmUpMs, remarks, comparison },
    }),
  )
}

/** All of a run are kept until its figures are made: some three gigabytes of them. */
const requestsMax = 1_000_000

function refuseTooMany(requests: number, durationMs: number): void {
  if (requests <= requestsMax) return
  const minutes = Math.floor((durationMs * requestsMax) / requests / 60_000)
  const most = minutes < 60 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`
  throw new CommandFailure(
    'wrong',
    `--duration of so long are ${(requests / 1e6).toFixed(1)} million requests in one run, and ${requestsMax / 1e6} million are the most: at this load take ${most}`,
  )
}

const listed = (title: string, names: readonly string[]) =>
  wrapped(`${title}${names.join(', ')}`, 80, ' '.repeat(title.length)).join('\n')

const seedOf = (text: string) => numberOf(text, '--seed', { whole: true, zero: true })

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`
