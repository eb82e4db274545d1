/**
 * What is measured, fixed before any figure was taken: fleets, traces with the targets that their
 * users have, loads as parts of the LP bound, and seeds.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fluidBound } from '#simulator/bound/fluid-bound.ts'
import { uncachedSizes } from '#simulator/bound/uncached-sizes.ts'
import { type FleetEndpoint, parseFleetFile } from '#simulator/fleet-file.ts'
import { spreadTicks } from '#simulator/traces/change-load.ts'
import { loadTrace } from '#simulator/traces/load-trace.ts'
import { type Trace, withinContext } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

export type How = 'superpose' | 'compress'

/** Fleets whose endpoints all serve the same model. */
const oneModel = ['lab', 'edge', 'vend', 'dc', 'homog'] as const

/** Below what every fleet can take: an 8B model on cards with 32,000 tokens of room. */
const promptTokensMax = 8_192

interface Play {
  /** What its section is called. */
  readonly title: string
  readonly file: string
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  /** The fleets that it is played on. */
  readonly fleets: readonly string[]
  /** Of a clock that ticks so coarsely that nobody knows when in the tick a request came. */
  readonly tickMs?: number
  readonly times?: Times
}

/** How long requests come, and how they are counted. */
interface Times {
  readonly durationMs: number
  /** Those that come earlier are served and not counted. */
  readonly warmUpMs: number
  /** How long answers may take after the last arrival. */
  readonly drainMs: number
}

const usualTimes: Times = { durationMs: 300_000, warmUpMs: 60_000, drainMs: 200_000 }

const plays = {
  'azure-conv': {
    title: 'Azure 2023 conversations',
    file: 'azure2023-conv.csv.gz',
    targets: { ttftMs: 2_000, tpotMs: 100 },
    fleets: oneModel,
  },
  'azure-code': {
    title: 'Azure 2023 code',
    file: 'azure2023-code.csv.gz',
    targets: { ttftMs: 5_000, tpotMs: 100 },
    fleets: oneModel,
  },
  mooncake: {
    title: 'Mooncake conversations',
    file: 'mooncake-conversation.jsonl.gz',
    targets: { ttftMs: 5_000, tpotMs: 100 },
    fleets: oneModel,
    tickMs: 3_000,
  },
  servegen: {
    title: 'Several models at once',
    file: 'servegen-multimodel.csv.gz',
    targets: { ttftMs: 2_000, tpotMs: 100 },
    fleets: ['multi'],
    // The longest answer has 18,046 tokens: at the target for each it takes half an hour, and the
    // few like it hold most of the cache once they are there. The one thing here that was set after
    // a look at figures: runs of five minutes, which flattered all policies, filled a tenth of it.
    times: { durationMs: 1_800_000, warmUpMs: 600_000, drainMs: 1_800_000 },
  },
} as const satisfies Readonly<Record<string, Play>>

export type TraceName = keyof typeof plays
export const traceNames = Object.keys(plays) as readonly TraceName[]

type FleetsOf<Name extends TraceName> = (typeof plays)[Name]['fleets']
export type FleetName = FleetsOf<TraceName>[number]

export const fleetsOf = <Name extends TraceName>(trace: Name): FleetsOf<Name> => plays[trace].fleets

export const isPlayedOn = (trace: TraceName, fleet: FleetName): boolean =>
  fleetsOf(trace).some((name) => name === fleet)

export const fleetNames: readonly FleetName[] = [...new Set(traceNames.flatMap(fleetsOf))]

export interface Workload extends Pick<Play, 'title' | 'targets'> {
  readonly trace: Trace
  readonly times: Times
}

/** The loads at which policies are compared, in parts of the LP bound. */
export const loads = [0.5, 0.6, 0.7, 0.8] as const

/** Phases of the traces on which policies are judged. None of them was used to tune anything. */
export const seeds = [1, 2, 3, 4, 5] as const

/** The phase on which the limits of the strongest rival are tuned, for each fleet and trace. */
export const tuningSeed = 101

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export async function loadFleet(name: string): Promise<readonly FleetEndpoint[]> {
  return parseFleetFile(await readFile(root(`fleets/${name}.yaml`), 'utf8'), `fleets/${name}.yaml`)
}

export async function loadWorkload(name: TraceName): Promise<Workload> {
  const { file, title, targets, tickMs, times = usualTimes }: Play = plays[name]
  const trace = withinContext(await loadTrace(root(`traces/${file}`)), promptTokensMax)
  const played = tickMs === undefined ? trace : spreadTicks(trace, tickMs, seededChance(1))
  return { title, targets, times, trace: played }
}

/** Requests a second that no policy can exceed, with every prefix that came before in a cache. */
export function boundOf(fleet: readonly FleetEndpoint[], { trace, targets }: Workload) {
  return fluidBound(fleet, uncachedSizes(trace), targets)
}
