/**
 * What a load must hold for the run to succeed, as `p95(e2e)<5s`, `failed<1%`, `goodput>90%`,
 * `output>200` (tokens a second).
 */
import type { Distribution, LoadReport } from '#loadtest/load-report.ts'

const times = { ttft: 'ttftMs', tpot: 'tpotMs', e2e: 'endToEndMs' } as const
const statistics = ['mean', 'p50', 'p90', 'p95', 'p99', 'max'] as const

export interface Threshold {
  /** As it was written. */
  readonly text: string
  readonly figure:
    | {
        readonly kind: 'time'
        readonly of: keyof typeof times
        readonly statistic: keyof Distribution
      }
    | { readonly kind: 'failed' | 'goodput' | 'output' | 'rate' }
  readonly below: boolean
  /** Milliseconds, a ratio, tokens a second or requests a second. */
  readonly limit: number
}

export interface Verdict {
  readonly threshold: string
  /** Null when there is nothing to measure it on; then it does not hold. */
  readonly value: number | null
  readonly holds: boolean
}

const pattern =
  /^\s*(?:(mean|p50|p90|p95|p99|max)\((ttft|tpot|e2e)\)|(failed|goodput|output|rate))\s*([<>])\s*([\d.]+)\s*(ms|s|%)?\s*$/

/** Null when the text is no threshold; {@link thresholdProblem} says why. */
export function readThreshold(text: string): Threshold | null {
  const match = pattern.exec(text)
  if (match === null) return null
  const [, statistic, time, ratioOrRate, sign, number, unit] = match
  const value = Number(number)
  if (!Number.isFinite(value)) return null
  const below = sign === '<'
  if (time !== undefined) {
    // As in `--slo`: of a bare number nobody can say what it counts.
    if (unit === undefined || unit === '%') return null
    return {
      text: text.trim(),
      figure: {
        kind: 'time',
        of: time as keyof typeof times,
        statistic: statistic as (typeof statistics)[number],
      },
      below,
      limit: unit === 's' ? value * 1_000 : value,
    }
  }
  const kind = ratioOrRate as 'failed' | 'goodput' | 'output' | 'rate'
  const isRatio = kind === 'failed' || kind === 'goodput'
  if (unit === 'ms' || unit === 's' || (unit === '%' && !isRatio)) return null
  // Who writes `failed<1` means 1 %, and as a ratio it would hold whatever failed.
  if (isRatio && unit === undefined && value >= 1) return null
  return { text: text.trim(), figure: { kind }, below, limit: unit === '%' ? value / 100 : value }
}

const thresholdForms =
  'p95(ttft)<2s (mean, p50, p90, p95, p99 or max of ttft, tpot or e2e), failed<1%, goodput>90%, output>100 (tokens/s) or rate>5 (answers/s)'

/** What is wrong with a text that is no threshold, and what to write. */
export function thresholdProblem(text: string): string {
  const [, , time, , , number = '', unit] = pattern.exec(text) ?? []
  const name = text.trim()
  if (time !== undefined && unit === undefined) {
    return `"${text}" does not say ${number} of what: write ${name}s or ${name}ms`
  }
  const asRatio = /^(failed|goodput)/.test(name) && number !== '' && unit === undefined
  if (asRatio) return `"${text}" is a ratio of 1 or more: write ${name}%`
  return `"${text}" is no threshold; write ${thresholdForms}`
}

export function judge(threshold: Threshold, report: LoadReport): Verdict {
  const value = measured(threshold.figure, report)
  const holds =
    value !== null && (threshold.below ? value < threshold.limit : value > threshold.limit)
  return { threshold: threshold.text, value, holds }
}

function measured(figure: Threshold['figure'], report: LoadReport): number | null {
  switch (figure.kind) {
    case 'time':
      return report[times[figure.of]]?.[figure.statistic] ?? null
    case 'failed':
      return report.requests === 0 ? null : report.failedRatio
    case 'goodput':
      return report.requests === 0 ? null : report.goodputRatio
    case 'output':
      return report.completionTokensPerSecond
    case 'rate':
      return report.requestsPerSecond
  }
}
