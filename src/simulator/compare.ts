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

/** Hears how far a comparison is, which may take hours. */
export interface CompareWatch {
  /** Once, before the first run: about how many requests each of them meets. What it throws ends all. */
  begin(requestsByRun: readonly number[]): void
  /** Often: how much of all runs is over, of 1, by their requests. */
  progress(doneRatio: number): void
}

/**
 * Rejects with {@link NoBoundError} where loads
 * are parts of a bound that is not found.
 */
export async function compare(
  options: CompareOptions,
  watch: CompareWatch = { begin: () => {}, progress: () => {} },
): Promise<Comparison> {
  const { fleet, trace, policies, loads, targets } = options
  const bound = fluidBound(fleet, uncachedSizes(trace), targets)
  let boundPerSecond: number | null
  let unit: number
  if (options.how === 'recorded') {
    boundPerSecond = await bound.catch(noneIfNotFound)
    unit = requestsPerSecond(trace)
  } else boundPerSecond = unit = await bound
  const requestsOf = (load: number): number =>
    options.how === 'recorded' ? trace.requests.length : (load * unit * options.durationMs) / 1_000
  const requestsByRun = loads.flatMap((load) => policies.map(() => requestsOf(load)))
  const requests = requestsByRun.reduce((sum, one) => sum + one, 0)
  watch.begin(requestsByRun)
  let doneRequests = 0
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
        onProgress: (ratio) => watch.progress((doneRequests + ratio * requestsOf(load)) / requests),
      })
      rows.push({ load, ratePerSecond, policy: policy.name, metrics })
      doneRequests += requestsOf(load)
      watch.progress(doneRequests / requests)
    }
  }
  return { boundPerSecond, rows }
}

function noneIfNotFound(error: unknown): null {
  if (error instanceof NoBoundError) return null
  throw error
}
