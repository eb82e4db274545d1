/** Policies side by side, on the same fleet and the same requests. */
import type { LatencyTargets } from '#routing/dispatcher.ts'
import { fluidBound } from '#simulator/bound/fluid-bound.ts'
import type { FleetEndpoint } from '#simulator/fleet-file.ts'
import type { Metrics } from '#simulator/metrics.ts'
import type { Policy } from '#simulator/policies.ts'
import { run } from '#simulator/run.ts'
import type { Trace } from '#simulator/traces/trace.ts'

export interface CompareOptions {
  readonly fleet: readonly FleetEndpoint[]
  readonly trace: Trace
  readonly policies: readonly Policy[]
  /** Parts of the bound. */
  readonly loads: readonly number[]
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  readonly seed: number
  readonly how: 'superpose' | 'compress'
  readonly durationMs: number
  readonly warmUpMs: number
  readonly hostNowMs?: () => number
}

export interface Comparison {
  /** Requests a second within the targets that no policy can exceed. */
  readonly boundPerSecond: number
  readonly rows: readonly {
    readonly load: number
    readonly ratePerSecond: number
    readonly policy: string
    readonly metrics: Metrics
  }[]
}

/** Calls `onRow` after each run, which may take seconds. */
export async function compare(
  options: CompareOptions,
  onRow: (done: number, all: number) => void = () => {},
): Promise<Comparison> {
  const { fleet, trace, policies, loads, targets } = options
  const boundPerSecond = await fluidBound(fleet, uncached(trace), targets)
  const rows: Comparison['rows'][number][] = []
  for (const load of loads) {
    const ratePerSecond = load * boundPerSecond
    for (const policy of policies) {
      const { seed, how, durationMs, warmUpMs, hostNowMs } = options
      const metrics = run({
        fleet,
        trace,
        ratePerSecond,
        policy,
        targets: targets satisfies LatencyTargets,
        seed,
        how,
        durationMs,
        warmUpMs,
        ...(hostNowMs !== undefined && { hostNowMs }),
      })
      rows.push({ load, ratePerSecond, policy: policy.name, metrics })
      onRow(rows.length, loads.length * policies.length)
    }
  }
  return { boundPerSecond, rows }
}

/** What is left of each prompt when everything that came before is in a cache without end. */
function uncached({ requests, prefixBlockTokens }: Trace) {
  const seen = new Set<number>()
  return requests.map(({ promptTokens, outputTokens, prefixHashes }) => {
    const missAt = prefixHashes.findIndex((hash) => !seen.has(hash))
    const hits = missAt === -1 ? prefixHashes.length : missAt
    for (const hash of prefixHashes) seen.add(hash)
    return { promptTokens: Math.max(1, promptTokens - hits * prefixBlockTokens), outputTokens }
  })
}
