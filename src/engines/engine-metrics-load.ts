/** The load of an engine from its metrics in Prometheus' text: which of them says what. */
import type { LoadPage } from '#engines/engine.ts'
import { meanOfRatios, sumOfCounts } from '#engines/engine-fields.ts'
import { readPrometheusValues } from '#std/prometheus-text.ts'

/** Names of metrics, the best first: the first that a page has counts. Left out: it has none. */
export interface LoadMetrics {
  readonly running?: readonly string[]
  readonly waiting?: readonly string[]
  readonly kvCacheUsage?: readonly string[]
  readonly slots?: readonly string[]
  readonly kvTokens?: readonly string[]
  /** Reads the same from what no number of the page says. */
  readonly readKvTokens?: (page: string) => number | null
}

export function metricsLoad(metrics: LoadMetrics): LoadPage {
  const { running, waiting, kvCacheUsage, slots, kvTokens, readKvTokens } = metrics
  const wanted = new Set(
    [running, waiting, kvCacheUsage, slots, kvTokens].flatMap((names) => names ?? []),
  )
  return {
    path: '/metrics',
    read(answer) {
      if (answer.status !== 200) return null
      const values = readPrometheusValues(answer.body, wanted)
      const first = (names: readonly string[] = []) =>
        names.map((name) => values.get(name)).find((found) => found !== undefined)
      return {
        runningRequests: sumOfCounts(first(running)),
        waitingRequests: sumOfCounts(first(waiting)),
        kvCacheUsageRatio: meanOfRatios(first(kvCacheUsage)),
        slots: sumOfCounts(first(slots)),
        kvTokens: sumOfCounts(first(kvTokens)) ?? readKvTokens?.(answer.body) ?? null,
      }
    },
  }
}
