/** Policies side by side, on the same fleet and the same requests. */
import type { LatencyTargets } from '#routing/dispatcher.ts'
import { fluidBound, NoBoundError } from '#simulator/bound/fluid-bound.ts'
import { uncachedSizes } from '#simulator/bound/uncached-sizes.ts'
import type { FleetEndpoint } from '#simulator/fleet-file.ts'
import type { Metrics } from '#simulator/metrics.ts'
import type { Policy } from '#simulator/policies.ts'
import { run } from '#simulator/run.ts'
import { requestsPerSecond, type Trace } from '#simulator/traces/trace.ts'

export interface CompareOptions {
  readonly fleet: readonly FleetEndpoint[]
  readonly trace: Trace
  readonly policies: readonly Policy[]
  /** Parts of the bound; `recorded`: multiples of the rate of the trace itself. */
  readonly loads: readonly number[]
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  readonly seed: number
  readonly how: 'superpose' | 'compress' | 'recorded'
  readonly durationMs: number
  readonly warmUpMs: number
  readonly hostNowMs?: () => number
}

export interface Comparison {
  /**
   * Requests a second within the targets that no policy can exceed; null where none was found, and
   * the requests come as they were recorded all the same.
   */
  readonly boundPerSecond: number | null
  readonly rows: readonly {
    readonly load: number
    readonly ratePerSecond: number
    readonly policy: string
    readonly metrics: Metrics
  }[]
}

/**
 * Calls `onRow` after each run, which may take seconds. Rejects with {@link NoBoundError} where loads
 * are parts of a bound that is not found.
 */
export async function compare(
  options: CompareOptions,
  onRow: (done: number, all: number) => void = () => {},
): Promise<Comparison> {
  const { fleet, trace, policies, loads, targets } = options
  const bound = fluidBound(fleet, uncachedSizes(trace), targets)
  let boundPerSecond: number | null
  let unit: number
  if (options.how === 'recorded') {
    boundPerSecond = await bound.catch(noneIfNotFound)
    unit = requestsPerSecond(trace)
  } else boundPerSecond = unit = await bound
  const rows: Comparison['rows'][number][] = []
  for (const load of loads) {
    const ratePerSecond = load * unit
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

function noneIfNotFound(error: unknown): null {
  if (error instanceof NoBoundError) return null
  throw error
}
