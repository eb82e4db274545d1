/** From samples to figures. Pure; the same samples make the same report. */
import { outcomeName, type Sample } from '#loadtest/sample.ts'
import { quantile } from '#std/quantile.ts'

/** What a request must meet to count as good. */
export interface Slo {
  readonly ttftMs: number | null
  readonly tpotMs: number | null
  readonly endToEndMs: number | null
}

export interface Distribution {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface LoadFigures {
  readonly requests: number
  readonly answered: number
  /** Share of requests that were not answered whole. */
  readonly failedRatio: number
  readonly requestsPerSecond: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly promptTokensPerSecond: number
  readonly completionTokensPerSecond: number
  /** Of answered requests; null when there is none. */
  readonly ttftMs: Distribution | null
  readonly tpotMs: Distribution | null
  readonly endToEndMs: Distribution | null
  /** Requests that met the targets, of all. */
  readonly goodputRatio: number
  readonly goodputPerSecond: number
}

export interface LoadReport extends LoadFigures {
  readonly durationMs: number
  readonly slo: Slo
  readonly outcomes: Readonly<Record<string, number>>
  /** Answered requests by endpoint, where a gateway said so. */
  readonly endpoints: Readonly<Record<string, number>>
  /** In the order in which they began; one for a load of one kind. */
  readonly phases: readonly (LoadFigures & { readonly phase: string })[]
}

/** `durationMs`: from the first request due to the last answer. */
export function loadReport(samples: readonly Sample[], slo: Slo, durationMs: number): LoadReport {
  const phases = Map.groupBy(samples, ({ phase }) => phase)
  return {
    durationMs,
    slo,
    ...figures(samples, slo, durationMs),
    outcomes: countBy(samples, ({ outcome }) => outcomeName(outcome)),
    endpoints: countBy(
      samples.filter(({ endpoint, outcome }) => endpoint !== null && outcome.kind === 'answered'),
      ({ endpoint }) => endpoint ?? '',
    ),
    phases: [...phases].map(([phase, own]) => ({ phase, ...figures(own, slo, spanMs(own)) })),
  }
}

function figures(samples: readonly Sample[], slo: Slo, durationMs: number): LoadFigures {
  const answered = samples.filter(({ outcome }) => outcome.kind === 'answered')
  const good = answered.filter((sample) => isGood(sample, slo))
  const seconds = Math.max(durationMs, 1) / 1_000
  const promptTokens = sum(answered, ({ promptTokens }) => promptTokens)
  const completionTokens = sum(answered, ({ completionTokens }) => completionTokens)
  return {
    requests: samples.length,
    answered: answered.length,
    failedRatio: samples.length === 0 ? 0 : 1 - answered.length / samples.length,
    requestsPerSecond: answered.length / seconds,
    promptTokens,
    completionTokens,
    promptTokensPerSecond: promptTokens / seconds,
    completionTokensPerSecond: completionTokens / seconds,
    ttftMs: distribution(answered.map(({ ttftMs }) => ttftMs)),
    tpotMs: distribution(answered.map(({ tpotMs }) => tpotMs)),
    endToEndMs: distribution(answered.map(({ endToEndMs }) => endToEndMs)),
    goodputRatio: samples.length === 0 ? 0 : good.length / samples.length,
    goodputPerSecond: good.length / seconds,
  }
}

/** A failed request is never good; one of a single token has no time between tokens to miss. */
export function isGood({ ttftMs, tpotMs, endToEndMs }: Sample, slo: Slo): boolean {
  const within = (value: number | null, most: number | null) =>
    most === null || value === null || value <= most
  return (
    within(ttftMs, slo.ttftMs) && within(tpotMs, slo.tpotMs) && within(endToEndMs, slo.endToEndMs)
  )
}

/** From the first request due to the last answer. */
export function spanMs(samples: readonly Sample[]): number {
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = 0
  for (const { dueMs, endToEndMs } of samples) {
    fromMs = Math.min(fromMs, dueMs)
    toMs = Math.max(toMs, dueMs + endToEndMs)
  }
  return samples.length === 0 ? 0 : toMs - fromMs
}

function distribution(values: readonly (number | null)[]): Distribution | null {
  const sorted = values.filter((value) => value !== null).toSorted((one, other) => one - other)
  if (sorted.length === 0) return null
  const at = (q: number): number => quantile(sorted, q) ?? 0
  return {
    mean: sum(sorted, (value) => value) / sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  }
}

function countBy<Value>(
  values: readonly Value[],
  name: (value: Value) => string,
): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(values, name)]
      .map(([key, own]) => [key, own.length] as const)
      .toSorted(([, one], [, other]) => other - one),
  )
}

function sum<Value>(values: readonly Value[], of: (value: Value) => number): number {
  return values.reduce((total, value) => total + of(value), 0)
}
