/** The words of `motley why`: what came of a request, and what every decision looked at. */
import { z } from 'zod'
import { clockText } from '#cli/clock-text.ts'
import { runningStage } from '#cli/running-stage.ts'
import { tableLines } from '#cli/table.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { printable } from '#std/printable.ts'
import { roughDuration, roughNumber } from '#std/rough-number.ts'

/** Clients write names as they like, and errors repeat them: none of it moves the cursor here. */
const name = z.string().transform(printable)
const sentence = z.string().transform((text) => printable(text.replaceAll(/\s+/g, ' ')))

/** What is used of GET /admin/v1/decisions/…; a newer gateway may say more, an earlier one less. */
export const requestRecord = z.object({
  requestId: name,
  /** By the clock of the gateway. */
  arrivedAtMs: z.number().optional(),
  model: name,
  answeredModel: name.nullable(),
  decisions: z.array(
    z.object({
      atMs: z.number().optional(),
      model: name,
      strategy: name,
      scoreMeaning: name,
      leftOut: z.number().optional(),
      explores: z.boolean().default(false),
      candidates: z.array(
        z.object({
          endpoint: name,
          verdict: name,
          refusal: z
            .object({
              kind: name,
              words: sentence.optional(),
              /** Whether it goes away: as soon as others are served, some time, or never. */
              passes: z.enum(['soon', 'later', 'never']).catch('later'),
            })
            .nullable(),
          score: z.number().nullable(),
          state: name,
          inFlight: z.number(),
          weight: z.number(),
          slowStartRatio: z.number(),
          ttftMs: z.number().nullish(),
          tpotMs: z.number().nullish(),
          isGuess: z.boolean().default(false),
        }),
      ),
    }),
  ),
  /** Models that were asked for, the fallbacks as well, and that nobody serves. */
  unserved: z.array(z.object({ model: name, isFallback: z.boolean() })).default([]),
  /** Models that `routing.script` gave no answer about. */
  scriptFailures: z.array(z.object({ model: name, why: sentence })).default([]),
  attempts: z.array(
    z.object({
      endpoint: name,
      model: name,
      outcome: name,
      sentAfterMs: z.number().optional(),
      isRest: z.boolean().optional(),
      durationMs: z.number(),
      ttftMs: z.number().nullish(),
      tpotMs: z.number().nullish(),
      predicted: z
        .object({ ttftMs: z.number(), tpotMs: z.number(), isGuess: z.boolean().default(false) })
        .nullish(),
    }),
  ),
  queueMs: z.number(),
  /** How much of that nobody was there; an earlier gateway does not tell it apart. */
  awayMs: z.number().default(0),
  ttftMs: z.number().nullable(),
  totalMs: z.number(),
  /** Null while it runs. */
  status: z.number().nullable(),
  running: runningStage.nullable().default(null),
  /** An earlier gateway keeps no record of one that it never looked for a place for. */
  refused: z.object({ code: name, message: sentence }).nullish(),
})

export type RequestRecord = z.output<typeof requestRecord>
type RecordedDecision = RequestRecord['decisions'][number]
type Candidate = RecordedDecision['candidates'][number]

export function whyText(record: RequestRecord, nowMs: number): string {
  const { requestId, answeredModel, ttftMs, arrivedAtMs } = record
  const model = record.model === '' ? 'no model that could be read' : record.model
  const facts = [
    endText(record),
    ...(ttftMs === null ? [] : [`first token after ${milliseconds(ttftMs)}`]),
    ...waitedText(record),
    ...(answeredModel === null || answeredModel === model ? [] : [`answered by ${answeredModel}`]),
  ]
  const arrived = arrivedAtMs === undefined ? '' : `, at ${clockText(arrivedAtMs, nowMs)}`
  return [
    [
      `Request ${paint('bold', requestId)} for ${model}${arrived}: ${facts.join(', ')}.`,
      'Times count from its arrival at the gateway, where nothing else is said.',
    ].join('\n'),
    ...refusedText(record),
    ...unservedText(record),
    ...record.decisions.map((decision, index) => decisionText(decision, index, record)),
    ...(record.refused != null && record.decisions.length === 0 ? [] : [attemptsText(record)]),
  ].join('\n\n')
}

/** How it ended and when, or what it is at. */
function endText({ status, totalMs, refused, running }: RequestRecord): string {
  if (status === null) return `${runningText(running)}, ${milliseconds(totalMs)} after it came`
  return refused != null && isBegun(status)
    ? `broke off after ${milliseconds(totalMs)} (it had begun with ${status})`
    : `${status} after ${milliseconds(totalMs)}`
}

/** Its client was told of what went wrong behind the beginning of an answer. */
function isBegun(status: number | null): boolean {
  return status !== null && status < 400
}

function runningText(stage: RequestRecord['running']): string {
  if (stage?.kind === 'asking') return `running at ${stage.endpoint}`
  if (stage?.kind === 'arriving') return 'not yet read whole'
  if (stage?.kind !== 'waiting') return 'running'
  const what = stage.for === 'endpoint' ? 'an endpoint that is not there' : 'room'
  return `waiting for ${what} since ${milliseconds(stage.forMs)}`
}

/** Of its time so far, what no endpoint had it; what it waits now is said with that. */
function waitedText({ queueMs, awayMs }: RequestRecord): string[] {
  const roomMs = queueMs - awayMs
  return [
    ...(roomMs < 1 ? [] : [`${milliseconds(roomMs)} of it waiting for room`]),
    ...(awayMs < 1 ? [] : [`${milliseconds(awayMs)} of it waiting until an endpoint was there`]),
  ]
}

/** What its client was told: the reason itself where no endpoint was ever looked for. */
function refusedText({ refused, decisions, status }: RequestRecord): string[] {
  if (refused == null) return []
  const words =
    refused.message === ''
      ? `Broken off (${refused.code}).`
      : `${isBegun(status) ? 'Broken off' : 'Refused'} (${refused.code}): ${refused.message}`
  const told = wrapped(words, terminalWidth, '  ')
  const none = 'That was before any decision: no endpoint was looked for.'
  return [[...told, ...(decisions.length > 0 ? [] : [none])].join('\n')]
}

/** Why there is no decision about a model that could have answered. */
function unservedText({ unserved, decisions }: RequestRecord): string[] {
  if (decisions.length === 0) return []
  return unserved.map(({ model, isFallback }) =>
    isFallback
      ? `No endpoint serves ${model}, one of its fallbacks.`
      : `No endpoint serves ${model} itself: only its fallbacks could answer.`,
  )
}

function decisionText(
  decision: RecordedDecision,
  index: number,
  { scriptFailures }: RequestRecord,
): string {
  const { atMs, model, strategy, candidates, leftOut = 0 } = decision
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
    ],
    candidates.map((candidate) => [
      candidate.endpoint,
      candidate.verdict,
      ...(predicts
        ? [candidate.score, candidate.ttftMs, candidate.tpotMs].map((ms) =>
            predictedText(ms, candidate.isGuess),
          )
        : [candidate.score === null ? '-' : roughNumber(candidate.score)]),
      String(candidate.inFlight),
      ...(predicts ? [] : [weightText(candidate)]),
    ]),
  )
  const reasons = candidates.map((candidate) => whyNotCell(candidate, chosen))
  const when = atMs === undefined ? '' : `, after ${milliseconds(atMs)}`
  return [
    `Decision ${index + 1}${when}: ${model} by ${strategy}`,
    ...scriptFailures.filter((failure) => failure.model === model).map(scriptText),
    ...meaningOf(decision, { predicts, chosen }),
    '',
    ...besideEach(lines, ['WHY NOT', ...reasons]),
    ...(leftOut === 0 ? [] : [indented(`and ${leftOut} more`)]),
  ].join('\n')
}

/** A last column of words, folded where the line is full. */
function besideEach(lines: readonly string[], words: readonly string[]): string[] {
  const width = Math.max(...lines.map((line) => line.length))
  const room = Math.max(wordsWidthMin, terminalWidth - width - indented('  ').length)
  return lines.flatMap((line, at) =>
    wrapped(words[at] ?? '', room, '').map((part, row) =>
      indented(`${(row === 0 ? line : '').padEnd(width)}  ${part}`).trimEnd(),
    ),
  )
}

/** Narrower than this a column of words is no easier to read than a line that is too long. */
const wordsWidthMin = 16

/** Whether it could have gone to another than the chosen one: a lone one is no experiment. */
function hadOthers(candidates: readonly Candidate[], leftOut: number): boolean {
  return (
    leftOut > 0 ||
    candidates.some(({ verdict, refusal }) => verdict !== 'chosen' && refusal === null)
  )
}

/** What the table below says. */
function meaningOf(
  { scoreMeaning, candidates, leftOut = 0, explores }: RecordedDecision,
  { predicts, chosen }: { readonly predicts: boolean; readonly chosen: boolean },
): string[] {
  if (predicts) {
    return [
      'Predicted: the whole answer, its first token (counts more), each further one.',
      ...(candidates.some(({ isGuess }) => isGuess)
        ? ['"~" is a first guess: too little was measured there yet.']
        : []),
      ...(explores && hadOthers(candidates, leftOut)
        ? ['Chosen to learn how fast it is, as now and then one of unknown speed is.']
        : []),
    ]
  }
  if (chosen) return [`The score is ${scoreMeaning}; the smallest wins.`]
  if (leftOut === 0 && candidates.every(({ refusal }) => refusal?.passes === 'never')) {
    return ['No endpoint may take it, however long it waits.']
  }
  // Where nothing is against an endpoint, a prediction alone was.
  return leftOut > 0 || candidates.some(({ refusal }) => (refusal?.passes ?? 'soon') === 'soon')
    ? ['There was no place for it yet.']
    : ['No endpoint could take it then.']
}

function scriptText({ why }: RequestRecord['scriptFailures'][number]): string {
  return `routing.script failed (${why}): rules alone decided.`
}

/** Three digits are more than a prediction is worth; of a guess, two. */
function predictedText(ms: number | null | undefined, isGuess: boolean): string {
  if (ms == null) return '-'
  return isGuess ? `~${roughDuration(Number(ms.toPrecision(2)))}` : roughDuration(ms)
}

function attemptsText(record: RequestRecord): string {
  const { running, answeredModel, model } = record
  const over = record.attempts.map((attempt, index) => attemptText(attempt, index))
  if (running?.kind === 'asking') {
    const { attempt, endpoint, sentAfterMs, isRest } = running
    const sent = `sent after ${milliseconds(sentAfterMs)}${isRest ? ', for the rest' : ''}`
    over.push(`Attempt ${attempt}: ${answeredModel ?? model} on ${endpoint}: ${sent}; not over.`)
  }
  if (over.length > 0) return over.join('\n')
  return running === null ? 'No endpoint was asked.' : 'No endpoint was asked yet.'
}

function attemptText(attempt: RequestRecord['attempts'][number], index: number): string {
  const { endpoint, model, outcome, sentAfterMs, durationMs, isRest } = attempt
  const when =
    sentAfterMs === undefined
      ? `${outcome}, after ${milliseconds(durationMs)}`
      : `sent after ${milliseconds(sentAfterMs)}${isRest ? ', for the rest' : ''}; ${outcome}, after ${milliseconds(sentAfterMs + durationMs)}`
  const pace = paceText(attempt)
  return [
    `Attempt ${index + 1}: ${model} on ${endpoint}: ${when}.`,
    ...(pace === null ? [] : [indented(pace)]),
  ].join('\n')
}

/** What was predicted of an answer, and what came; null where nothing was predicted or came. */
function paceText({ ttftMs, tpotMs, predicted }: RequestRecord['attempts'][number]): string | null {
  if (predicted == null || ttftMs == null) return null
  const said = (ms: number) =>
    predicted.isGuess ? `first guess ${predictedText(ms, true)}` : `predicted ${roughDuration(ms)}`
  const first = `first token ${milliseconds(ttftMs)} after it was sent (${said(predicted.ttftMs)})`
  if (tpotMs == null) return `${first}.`
  return `${first}, then ${roughNumber(tpotMs)} ms each (${said(predicted.tpotMs)}).`
}

/** Where nobody was chosen and nothing is against an endpoint, its predictions are. */
function whyNotCell({ refusal, verdict }: Candidate, chosen: boolean): string {
  if (refusal !== null) return refusal.words ?? refusal.kind
  return chosen || verdict !== 'refused' ? '' : 'could not start it in time'
}

function weightText({ weight, slowStartRatio }: Candidate): string {
  return slowStartRatio === 1
    ? roughNumber(weight)
    : `${roughNumber(weight * slowStartRatio)}/${roughNumber(weight)}`
}

function milliseconds(value: number): string {
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(1)} s`
}

function indented(line: string): string {
  return `  ${line}`
}
