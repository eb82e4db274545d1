/** What `motley simulate compare` and `replay` print for people, 80 columns wide. */
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Comparison } from '#simulator/compare.ts'

export interface ComparisonWords {
  readonly fleetName: string
  readonly endpoints: readonly string[]
  readonly traceName: string
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  readonly recorded: boolean
  /** What was left out of the trace, in sentences. */
  readonly remarks: readonly string[]
  readonly comparison: Comparison
}

const width = 80

export function comparisonText(words: ComparisonWords): string {
  const { fleetName, endpoints, traceName, targets, comparison, remarks } = words
  const count = endpoints.length === 1 ? '1 endpoint' : `${endpoints.length} endpoints`
  const head = [
    `${fleetName}, ${count}; ${traceName}`,
    `in time: first token within ${timeText(targets.ttftMs)}, then ${timeText(targets.tpotMs)} a token or less`,
    `no policy can serve more than ${rateText(comparison.boundPerSecond)} requests/s in time`,
    ...remarks,
  ]
  return [
    ...head.flatMap((line) => wrapped(line, width, '  ')),
    ...[...Map.groupBy(comparison.rows, ({ load }) => load).values()].flatMap((rows) => [
      '',
      ...loadLines(rows, words),
    ]),
  ].join('\n')
}

function loadLines(rows: Comparison['rows'], { recorded, endpoints }: ComparisonWords): string[] {
  const { load = 0, ratePerSecond = 0 } = rows[0] ?? {}
  const times = load === 1 ? 'as recorded' : `${load} times as many as recorded`
  const part = `${Math.round(load * 1000) / 10} % of the most that is possible`
  return [
    paint('bold', `${recorded ? times : part}: ${rateText(ratePerSecond)} requests/s`),
    '',
    ...tableLines(
      [policyColumn, ...numbers('in time', 'a second', 'TTFT mean', 'p50', 'p95', 'p99')],
      rows.map(({ policy, metrics }) => [
        policy,
        percent(metrics.attainment),
        rateText(metrics.goodput),
        ...quartet(metrics.ttftMs),
      ]),
    ),
    '',
    ...tableLines(
      [policyColumn, ...numbers('TPOT mean', 'p50', 'p95', 'p99', 'prefix hits')],
      rows.map(({ policy, metrics }) => [
        policy,
        ...quartet(metrics.tpotMs),
        percent(metrics.prefixHitRatio),
      ]),
    ),
    '',
    ...rows.flatMap(({ policy, metrics }) => {
      const shares = metrics.shares.map((share, at) => `${endpoints[at]} ${percent(share, 0)}`)
      return wrapped(`${policy}: ${shares.join(', ')}`, width, '  ')
    }),
  ]
}

const policyColumn: Column = { title: 'policy', maxWidth: 25 }

const numbers = (...titles: readonly string[]) =>
  titles.map((title): Column => ({ title, align: 'right' }))

const quartet = ({
  mean,
  p50,
  p95,
  p99,
}: {
  mean: number
  p50: number
  p95: number
  p99: number
}) => [mean, p50, p95, p99].map(timeText)

function timeText(ms: number): string {
  if (ms < 100) return `${Number(ms.toPrecision(2))} ms`
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toPrecision(3))} s`
}

const rateText = (perSecond: number) => String(Number(perSecond.toPrecision(3)))

/** A number and its sign are never on two lines. */
const percent = (ratio: number, digits = 1) => `${(ratio * 100).toFixed(digits)}\u00a0%`
