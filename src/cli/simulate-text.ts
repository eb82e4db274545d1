/** The words of `motley simulate`. */
import { tableLines } from '#cli/table.ts'
import type { Comparison } from '#simulator/compare.ts'

export function comparisonText({
  boundPerSecond,
  rows,
  endpoints,
}: Comparison & { readonly endpoints: readonly string[] }): string {
  const loads = [...new Set(rows.map(({ load }) => load))]
  const parts = loads.map((load) => loadText(load, rows))
  const shares = rows
    .filter(({ load }) => load === loads.at(-1))
    .map(({ policy, metrics }) => `  ${policy}: ${sharesText(metrics.shares, endpoints)}`)
  return [
    `At best this fleet serves ${boundPerSecond.toFixed(1)} requests/s within the targets.`,
    ...parts,
    `Who got the requests, in percent, at load ${loads.at(-1)}:\n${shares.join('\n')}`,
  ].join('\n\n')
}

function loadText(load: number, rows: Comparison['rows']): string {
  const here = rows.filter((row) => row.load === load)
  const lines = tableLines(
    [
      { title: 'POLICY', maxWidth: 24 },
      { title: 'KEPT %', align: 'right' },
      { title: 'GOOD/S', align: 'right' },
      { title: 'TTFT', align: 'right' },
      { title: 'P99', align: 'right' },
      { title: 'TPOT', align: 'right' },
      { title: 'P99', align: 'right' },
      { title: 'HIT %', align: 'right' },
    ],
    here.map(({ policy, metrics }) => [
      policy,
      (100 * metrics.attainment).toFixed(1),
      metrics.goodput.toFixed(1),
      seconds(metrics.ttftMs.mean),
      seconds(metrics.ttftMs.p99),
      `${metrics.tpotMs.mean.toFixed(0)} ms`,
      `${metrics.tpotMs.p99.toFixed(0)} ms`,
      (100 * metrics.prefixHitRatio).toFixed(1),
    ]),
  )
  const rate = here[0]?.ratePerSecond.toFixed(1)
  return [`Load ${load}: ${rate} requests/s`, ...lines].join('\n')
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** The largest first, as far as a line goes. */
function sharesText(shares: readonly number[], endpoints: readonly string[]): string {
  const named = shares.map((share, index) => ({ share, name: endpoints[index] ?? '' }))
  return named
    .filter(({ share }) => share >= 0.005)
    .sort((left, right) => right.share - left.share)
    .slice(0, 4)
    .map(({ name, share }) => `${name} ${(100 * share).toFixed(0)}`)
    .join(', ')
}
