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

export const fleetNames = ['lab', 'edge', 'vend', 'dc', 'homog'] as const
export type FleetName = (typeof fleetNames)[number]

export const traceNames = ['azure-conv', 'azure-code', 'mooncake'] as const
export type TraceName = (typeof traceNames)[number]

export interface Workload {
  readonly trace: Trace
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  readonly title: string
}

/** Below what every one of these fleets can take: an 8B model on cards with 32,000 tokens of room. */
const promptTokensMax = 8_192

/** Mooncake's clock ticks every three seconds; nobody knows when in the tick a request came. */
const mooncakeTickMs = 3_000

const files: Readonly<
  Record<TraceName, { readonly file: string; readonly targets: Workload['targets']; title: string }>
> = {
  'azure-conv': {
    file: 'azure2023-conv.csv.gz',
    targets: { ttftMs: 2_000, tpotMs: 100 },
    title: 'Azure 2023 conversations',
  },
  'azure-code': {
    file: 'azure2023-code.csv.gz',
    targets: { ttftMs: 5_000, tpotMs: 100 },
    title: 'Azure 2023 code',
  },
  mooncake: {
    file: 'mooncake-conversation.jsonl.gz',
    targets: { ttftMs: 5_000, tpotMs: 100 },
    title: 'Mooncake conversations',
  },
}

/** The loads at which policies are compared, in parts of the LP bound. */
export const loads = [0.5, 0.6, 0.7, 0.8] as const

/** Phases of the traces on which policies are judged. None of them was used to tune anything. */
export const seeds = [1, 2, 3, 4, 5] as const

/** The phase on which the limits of the strongest rival are tuned, for each fleet and trace. */
export const tuningSeed = 101

export const durationMs = 300_000
export const warmUpMs = 60_000

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export async function loadFleet(name: string): Promise<readonly FleetEndpoint[]> {
  return parseFleetFile(await readFile(root(`fleets/${name}.yaml`), 'utf8'), `fleets/${name}.yaml`)
}

export async function loadWorkload(name: TraceName): Promise<Workload> {
  const { file, targets, title } = files[name]
  const trace = withinContext(await loadTrace(root(`traces/${file}`)), promptTokensMax)
  if (name !== 'mooncake') return { trace, targets, title }
  return { trace: spreadTicks(trace, mooncakeTickMs, seededChance(1)), targets, title }
}

/** Requests a second that no policy can exceed, with every prefix that came before in a cache. */
export function boundOf(fleet: readonly FleetEndpoint[], { trace, targets }: Workload) {
  return fluidBound(fleet, uncachedSizes(trace), targets)
}
