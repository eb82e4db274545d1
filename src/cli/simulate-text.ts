/** What `motley simulate compare` and `replay` print for people, 80 columns wide. */
import { type Column, tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Comparison } from '#simulator/compare.ts'
import type { Metrics } from '#simulator/metrics.ts'

export interface ComparisonWords {
  readonly fleetName: string
  readonly endpoints: readonly string[]
  readonly traceName: string
  readonly targets: { readonly ttftMs: number; readonly tpotMs: number }
  readonly recorded: boolean
  /** Of each run, so much at its beginning is not counted. */
  readonly warmUpMs: number
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
    boundText(comparison),
    ...remarks,
  ]
  return [
    ...head.flatMap((line) => wrapped(line, width, '  ')),
    ...[...Map.groupBy(comparison.rows, ({ load }) => load).values()].flatMap((rows) => [
      '',
      ...loadLines(rows, words),
    ]),
    ...weightLines(comparison),
  ].join('\n')
}

const weighted = 'round-robin'
const plain = 'even-round-robin'

/** Elsewhere the name is that of one which knows nothing of its endpoints. */
function weightLines({ rows }: Comparison): string[] {
  if (!rows.some(({ policy }) => policy.split(':', 1)[0] === weighted)) return []
  const text = `"${weighted}" shares by what each endpoint can sustain, as if somebody knew its speed and had set weights; "${plain}" is the plain one.`
  return ['', ...wrapped(text, width, '  ')]
}

function boundText({ boundPerSecond }: Comparison): string {
  return boundPerSecond === null
    ? 'how many requests/s a policy could serve in time at most was not found'
    : `no policy can serve more than ${rateText(boundPerSecond)} requests/s in time for long`
}

function loadLines(rows: Comparison['rows'], words: ComparisonWords): string[] {
  const { recorded, endpoints } = words
  const { load = 0, ratePerSecond = 0 } = rows[0] ?? {}
  const times = load === 1 ? 'as recorded' : `${load} times as many as recorded`
  const part = `${Math.round(load * 1000) / 10} % of the most that is possible`
  return [
    paint('bold', `${recorded ? times : part}: ${rateText(ratePerSecond)} requests/s`),
    ...countedLines(rows, words),
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
    ...modelLines(rows),
    '',
    'who got the requests:',
    ...rows.flatMap(({ policy, metrics }) =>
      wrapped(`${policy}: ${shareTexts(metrics, endpoints).join(', ')}`, width, '  '),
    ),
  ]
}

/** From so much on, another rate than the one above is no rounding. */
const otherRateRatio = 0.02

/** All policies meet the same requests, and not all of them are counted. */
function countedLines(rows: Comparison['rows'], { warmUpMs }: ComparisonWords): string[] {
  const { metrics, ratePerSecond = 0 } = rows[0] ?? {}
  if (metrics === undefined) return []
  const isOther = Math.abs(metrics.ratePerSecond / ratePerSecond - 1) > otherRateRatio
  if (warmUpMs === 0 && !isOther) return []
  const after = warmUpMs === 0 ? '' : ` after the first ${timeText(warmUpMs)}`
  const why = isOther ? ', as requests come in bursts' : ''
  const text = `counted${after}: ${metrics.requests} requests, ${rateText(metrics.ratePerSecond)}/s${why}`
  return wrapped(text, width, '  ')
}

/** Where several models are asked for, the mean hides the one that fares worst. */
function modelLines(rows: Comparison['rows']): string[] {
  const models = new Set(rows.flatMap(({ metrics }) => Object.keys(metrics.attainmentByModel)))
  if (models.size < 2) return []
  const lines = rows.flatMap(({ policy, metrics }) => {
    const parts = Object.entries(metrics.attainmentByModel)
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([model, attainment]) => `${model}\u00a0${percent(attainment)}`)
    return wrapped(`${policy}, in time: ${parts.join(', ')}`, width, '  ')
  })
  return ['', ...lines]
}

/** What each endpoint got, and what none did: together they are all requests. */
function shareTexts(metrics: Metrics, endpoints: readonly string[]): string[] {
  const { shares, refusedShare, waitingShare } = metrics
  return [
    ...shares.map((share, at) => `${endpoints[at]}\u00a0${percent(share, 0)}`),
    ...(refusedShare > 0 ? [`refused ${percent(refusedShare)}`] : []),
    ...(waitingShare > 0 ? [`still waiting at the end ${percent(waitingShare)}`] : []),
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
