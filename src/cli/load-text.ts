/** The report of a load for people, 80 columns wide. */
import { tableLines } from '#cli/table.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Distribution, LoadFigures, LoadReport } from '#loadtest/load-report.ts'
import type { LoadRun } from '#loadtest/run-load.ts'
import type { Verdict } from '#loadtest/threshold.ts'

export interface LoadWords {
  readonly report: LoadReport
  readonly verdicts: readonly Verdict[]
  readonly late: Pick<LoadRun, 'lateRequests' | 'heldRequests' | 'lateMsMax'>
  readonly maxInFlight: number
  readonly stopped: boolean
}

export function loadText(words: LoadWords): string {
  const { report, verdicts, stopped } = words
  const { answered, requests, durationMs } = report
  const lines = [
    `${answered} of ${requests} requests answered in ${secondsText(durationMs)}, ` +
      `${rate(report.requestsPerSecond)} answers/s` +
      (stopped ? ' (stopped early)' : ''),
    '',
    ...tableLines(
      [
        { title: '' },
        ...['mean', 'p50', 'p90', 'p95', 'p99', 'max'].map((title) => ({
          title,
          align: 'right' as const,
        })),
      ],
      [
        timesRow('first token', report.ttftMs),
        timesRow('per token', report.tpotMs),
        timesRow('whole answer', report.endToEndMs),
      ],
    ),
    '',
    `tokens     ${rate(report.promptTokensPerSecond)}/s read, ${rate(report.completionTokensPerSecond)}/s written`,
    `goodput    ${percent(report.goodputRatio)}, ${rate(report.goodputPerSecond)}/s (${sloText(report)})`,
  ]
  if (report.phases.length > 1) lines.push('', ...phaseLines(report))
  const failures = Object.entries(report.outcomes).filter(([name]) => name !== 'answered')
  if (failures.length > 0) lines.push('', `failed     ${listText(failures)}`)
  if (failures.some(([name]) => name.includes('context_length_exceeded'))) {
    lines.push('           too long for this model: lower --prompt-tokens or --output-tokens')
  }
  const endpoints = Object.entries(report.endpoints)
  if (endpoints.length > 0) lines.push('', `answered by  ${listText(endpoints)}`)
  const late = lateLines(words)
  if (late.length > 0) lines.push('', ...late)
  if (verdicts.length > 0) lines.push('', ...verdicts.map(verdictLine))
  return lines.join('\n')
}

/** Fewer late ones move no figure that anybody would read. */
const lateRatioMin = 0.01

function lateLines({ report, late, maxInFlight }: LoadWords): string[] {
  const { lateRequests, heldRequests, lateMsMax } = late
  const byUs = lateRequests - heldRequests
  const most = `up to ${timeText(lateMsMax)}`
  const texts = [
    ...(heldRequests > 0
      ? [
          `${requestsText(heldRequests)} waited here, ${most}, as --max-in-flight ${maxInFlight} were under way: the times above are of that limit, too.`,
        ]
      : []),
    ...(byUs > lateRatioMin * report.requests
      ? [
          `${requestsText(byUs)} went out late, ${most}, as this machine was busy: that is part of the times above.`,
        ]
      : []),
  ]
  return texts.flatMap((text) => wrapped(text, terminalWidth, '  '))
}

const requestsText = (count: number) => `${count} ${count === 1 ? 'request' : 'requests'}`

function phaseLines(report: LoadReport): string[] {
  return tableLines(
    [
      { title: 'load', maxWidth: 14 },
      ...['requests', 'failed', 'ttft p95', 'e2e p95', 'tokens/s', 'goodput'].map((title) => ({
        title,
        align: 'right' as const,
      })),
    ],
    report.phases.map((phase) => [phase.phase, ...phaseCells(phase)]),
  )
}

function phaseCells(figures: LoadFigures): string[] {
  return [
    String(figures.requests),
    percent(figures.failedRatio),
    timeText(figures.ttftMs?.p95),
    timeText(figures.endToEndMs?.p95),
    rate(figures.completionTokensPerSecond),
    percent(figures.goodputRatio),
  ]
}

function timesRow(title: string, times: Distribution | null): string[] {
  const values = [times?.mean, times?.p50, times?.p90, times?.p95, times?.p99, times?.max]
  return [title, ...values.map(timeText)]
}

function verdictLine({ threshold, value, holds }: Verdict): string {
  const seen = value === null ? 'nothing to measure' : valueText(threshold, value)
  return `${holds ? 'holds ' : 'FAILED'}  ${threshold}  (${seen})`
}

function valueText(threshold: string, value: number): string {
  if (/^\s*(failed|goodput)/.test(threshold)) return percent(value)
  return threshold.includes('(') ? timeText(value) : rate(value)
}

function sloText({ slo }: LoadReport): string {
  const parts = [
    ['first token', slo.ttftMs],
    ['per token', slo.tpotMs],
    ['whole answer', slo.endToEndMs],
  ] as const
  const set = parts.filter(([, ms]) => ms !== null)
  if (set.length === 0) return 'answered whole'
  return set.map(([name, ms]) => `${name} ≤ ${timeText(ms ?? 0)}`).join(', ')
}

function listText(entries: readonly (readonly [string, number])[]): string {
  return entries.map(([name, count]) => `${name} ${count}`).join(', ')
}

function timeText(ms: number | undefined): string {
  if (ms === undefined) return '–'
  return ms < 1_000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : secondsText(ms)
}

function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

function rate(value: number): string {
  return value < 10 ? String(Number(value.toFixed(2))) : String(Math.round(value))
}

function percent(ratio: number): string {
  return `${(ratio * 100).toFixed(1)} %`
}
