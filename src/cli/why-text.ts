/** The words of `motley why`: what came of a request, and what every decision looked at. */
import { z } from 'zod'
import { tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

const refusal = z.looseObject({
  kind: z.string(),
  state: z.string().optional(),
  inFlight: z.number().optional(),
  maxInFlight: z.number().optional(),
  rule: z.number().optional(),
  why: z.string().optional(),
  neededTokens: z.number().optional(),
  kvTokens: z.number().optional(),
  contextTokens: z.number().optional(),
  predictedMs: z.number().optional(),
  leftMs: z.number().optional(),
  targetMs: z.number().optional(),
  stallMs: z.number().optional(),
  answersLost: z.number().optional(),
  aheadMs: z.number().optional(),
})

/** What is used of GET /admin/v1/decisions/…; a newer gateway may say more. */
export const requestRecord = z.object({
  requestId: z.string(),
  model: z.string(),
  answeredModel: z.string().nullable(),
  decisions: z.array(
    z.object({
      model: z.string(),
      strategy: z.string(),
      scoreMeaning: z.string(),
      leftOut: z.number().optional(),
      candidates: z.array(
        z.object({
          endpoint: z.string(),
          verdict: z.string(),
          refusal: refusal.nullable(),
          score: z.number().nullable(),
          state: z.string(),
          inFlight: z.number(),
          weight: z.number(),
          slowStartRatio: z.number(),
          ttftMs: z.number().nullish(),
          tpotMs: z.number().nullish(),
        }),
      ),
    }),
  ),
  /** Models that `routing.script` gave no answer about; an earlier gateway does not tell. */
  scriptFailures: z.array(z.object({ model: z.string(), why: z.string() })).default([]),
  attempts: z.array(
    z.object({
      endpoint: z.string(),
      model: z.string(),
      outcome: z.string(),
      durationMs: z.number(),
      ttftMs: z.number().nullish(),
      tpotMs: z.number().nullish(),
      predicted: z.object({ ttftMs: z.number(), tpotMs: z.number() }).nullish(),
    }),
  ),
  queueMs: z.number(),
  ttftMs: z.number().nullable(),
  totalMs: z.number(),
  status: z.number(),
  /** An earlier gateway does not tell, and keeps no record of one that it never looked for a place for. */
  refused: z.object({ code: z.string(), message: z.string() }).nullish(),
})

export type RequestRecord = z.output<typeof requestRecord>
type Candidate = RequestRecord['decisions'][number]['candidates'][number]
type Refusal = NonNullable<Candidate['refusal']>

export function whyText(record: RequestRecord): string {
  const { requestId, answeredModel, queueMs, ttftMs, totalMs, status } = record
  const model = record.model === '' ? 'no model that could be read' : record.model
  const facts = [
    `${status} after ${milliseconds(totalMs)}`,
    ...(ttftMs === null ? [] : [`first token after ${milliseconds(ttftMs)}`]),
    ...(queueMs < 1 ? [] : [`${milliseconds(queueMs)} of it waiting for room`]),
    ...(answeredModel === null || answeredModel === model ? [] : [`answered by ${answeredModel}`]),
  ]
  return [
    `Request ${paint('bold', requestId)} for ${model}: ${facts.join(', ')}.`,
    ...refusedText(record),
    ...record.decisions.map((decision, index) => decisionText(decision, index, record)),
    ...(record.refused != null && record.decisions.length === 0 ? [] : [attemptsText(record)]),
  ].join('\n\n')
}

/** What its client was told: the reason itself where no endpoint was ever looked for. */
function refusedText({ refused, decisions }: RequestRecord): string[] {
  if (refused == null) return []
  const words =
    refused.message === ''
      ? `Broken off (${refused.code}).`
      : `Refused (${refused.code}): ${refused.message}`
  const told = wrapped(words, terminalWidth, '  ')
  const none = 'That was before any decision: no endpoint was looked for.'
  return [[...told, ...(decisions.length > 0 ? [] : [none])].join('\n')]
}

function decisionText(
  { model, strategy, scoreMeaning, candidates, leftOut = 0 }: RequestRecord['decisions'][number],
  index: number,
  { scriptFailures }: RequestRecord,
): string {
  const predicts = candidates.some(({ tpotMs }) => tpotMs != null)
  const chosen = candidates.some(({ verdict }) => verdict === 'chosen')
  const lines = tableLines(
    [
      { title: 'ENDPOINT', maxWidth: 20 },
      { title: 'VERDICT' },
      ...(predicts
        ? ([
            { title: 'TOTAL', align: 'right' },
            { title: 'FIRST', align: 'right' },
            { title: 'EACH', align: 'right' },
          ] as const)
        : ([{ title: 'SCORE', align: 'right' }] as const)),
      { title: 'RUNNING', align: 'right' },
      ...(predicts ? [] : ([{ title: 'WEIGHT', align: 'right' }] as const)),
      { title: 'WHY NOT' },
    ],
    candidates.map((candidate) => [
      candidate.endpoint,
      candidate.verdict,
      ...(predicts
        ? [candidate.score, candidate.ttftMs, candidate.tpotMs].map(predictedText)
        : [candidate.score === null ? '-' : rounded(candidate.score)]),
      String(candidate.inFlight),
      ...(predicts ? [] : [weightText(candidate)]),
      whyNotCell(candidate, chosen),
    ]),
  )
  const meaning = predicts
    ? 'Predicted: the whole answer, its first token (counts more), each further one.'
    : chosen
      ? `The score is ${scoreMeaning}; the smallest wins.`
      : 'There was no place for it yet.'
  return [
    `Decision ${index + 1}: ${model} by ${strategy}`,
    ...scriptFailures.filter((failure) => failure.model === model).map(scriptText),
    meaning,
    '',
    ...lines.map(indented),
    ...(leftOut === 0 ? [] : [indented(`and ${leftOut} more`)]),
  ].join('\n')
}

function scriptText({ why }: RequestRecord['scriptFailures'][number]): string {
  return `routing.script failed (${why}): rules alone decided.`
}

/** Two digits are all that a prediction is worth. */
function predictedText(ms: number | null | undefined): string {
  if (ms == null) return '-'
  return ms < 1_000 ? `${rounded(ms)} ms` : `${rounded(ms / 1_000)} s`
}

function attemptsText({ attempts }: RequestRecord): string {
  if (attempts.length === 0) return 'No endpoint was asked.'
  const lines = attempts.map(
    ({ endpoint, model, outcome, durationMs }, index) =>
      `Attempt ${index + 1}: ${model} on ${endpoint}: ${outcome}, after ${milliseconds(durationMs)}.`,
  )
  attempts.forEach((attempt, index) => {
    const pace = paceText(attempt)
    if (pace !== null) lines[index] += `\n${indented(pace)}`
  })
  return lines.join('\n')
}

/** What was predicted of an answer, and what came; null where nothing was predicted or came. */
function paceText({ ttftMs, tpotMs, predicted }: RequestRecord['attempts'][number]): string | null {
  if (predicted == null || ttftMs == null) return null
  const first = `first token after ${milliseconds(ttftMs)} (predicted ${milliseconds(predicted.ttftMs)})`
  if (tpotMs == null) return `${first}.`
  return `${first}, then ${rounded(tpotMs)} ms each (predicted ${rounded(predicted.tpotMs)} ms).`
}

/** Where nobody was chosen and nothing is against an endpoint, its predictions are. */
function whyNotCell({ refusal, verdict }: Candidate, chosen: boolean): string {
  if (refusal !== null) return refusalText(refusal)
  return chosen || verdict !== 'refused' ? '' : 'could not start it in time'
}

function refusalText(refusal: Refusal): string {
  const { kind, state, inFlight, maxInFlight, rule, why } = refusal
  const of = (name: 'neededTokens' | 'kvTokens' | 'predictedMs' | 'leftMs' | 'targetMs') =>
    refusal[name] ?? 0
  switch (kind) {
    case 'untried':
      return 'is tried with one at first'
    case 'silent':
      return 'owes answers'
    case 'kv-cache':
      return `${rounded(of('neededTokens'))}/${rounded(of('kvTokens'))} KV tokens`
    case 'context':
      return `holds ${refusal.contextTokens} tokens, of ~${rounded(of('neededTokens'))}`
    case 'ttft':
      return `late: ${predictedText(Math.max(0, of('leftMs')))} left`
    case 'tpot':
      return `slow: ${predictedText(of('targetMs'))} wanted`
    case 'stall':
      return `stalls others ${predictedText(refusal.stallMs)}`
    case 'work':
      return `${predictedText(refusal.aheadMs)} of other work`
    case 'tried':
      return 'has failed this request already'
    case 'state':
      return `is ${state}`
    case 'rule':
      return `${why} (rule ${rule})`
    case 'script':
      return 'was left out by routing.script'
    case 'probing':
      return 'is failing, and its one probe is under way'
    case 'weight-zero':
      return 'weight 0 takes nothing new'
    case 'cooling':
      return 'asked to be left alone for a while (429)'
    case 'full':
      return `is at its limit: ${inFlight} of ${maxInFlight}`
    default:
      return kind
  }
}

function weightText({ weight, slowStartRatio }: Candidate): string {
  return slowStartRatio === 1
    ? rounded(weight)
    : `${rounded(weight * slowStartRatio)}/${rounded(weight)}`
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function milliseconds(value: number): string {
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(1)} s`
}

function indented(line: string): string {
  return `  ${line}`
}
