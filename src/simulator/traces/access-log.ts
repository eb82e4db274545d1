import type { LoggedUse } from '#simulator/log-speed/learn-speed.ts'
import { guessedPrefixes, prefixBlockTokens } from '#simulator/traces/guessed-prefixes.ts'
import { TraceError } from '#simulator/traces/parse-trace.ts'
import { makeTrace, type Trace, type TraceRequest } from '#simulator/traces/trace.ts'
import { parseJson } from '#std/parse-json.ts'

export interface AccessLog {
  readonly trace: Trace
  /**
   * What each endpoint was given, and in what time it did it, also where it failed; of logs that do
   * not tell it, nothing.
   */
  readonly answers: readonly LoggedAnswer[]
  /** Requests whose answer told no counts of tokens, or that wrote none. */
  readonly withoutTokens: number
  /** Requests that were refused or failed: nobody knows how long their answers would have been. */
  readonly failed: number
}

/** An answer as the log tells it: what it says of the endpoint that gave it. */
export interface LoggedAnswer extends LoggedUse {
  readonly endpoint: string
  readonly model: string | null
}

/**
 * Reads the gateway's access log, one JSON object on each line, as a trace. Lines of other logs in
 * between are passed over. Throws {@link TraceError} when nothing can be replayed.
 */
export function parseAccessLog(text: string, name: string): AccessLog {
  const whole: Entry[] = []
  const answers: LoggedAnswer[] = []
  let withoutTokens = 0
  let failed = 0
  for (const line of text.split('\n')) {
    const entry = entryOf(line)
    if (entry === null) continue
    const isFailed = entry.status >= 400 || entry.wasCut
    const isWhole = !isFailed && entry.promptTokens > 0 && entry.completionTokens > 0
    if (isWhole) whole.push(entry)
    else if (isFailed) failed++
    else withoutTokens++
    const answer = answerOf(entry, isWhole)
    if (answer !== null) answers.push(answer)
  }
  if (whole.length === 0) throw new TraceError(`${name}: ${nothing(withoutTokens, failed)}`)
  const trace = makeTrace(name, requestsOf(whole), prefixBlockTokens)
  return { trace, answers, withoutTokens, failed }
}

function requestsOf(entries: readonly Entry[]): TraceRequest[] {
  const firstMs = entries.reduce((least, one) => Math.min(least, beganAtMs(one)), Infinity)
  const prefixes = guessedPrefixes(entries)
  return entries.map((entry, at) => ({
    arrivalMs: beganAtMs(entry) - firstMs,
    promptTokens: entry.promptTokens,
    outputTokens: entry.completionTokens,
    model: entry.model,
    client: entry.client,
    prefixHashes: prefixes[at] ?? [],
  }))
}

const beganAtMs = ({ endedAtMs, totalMs }: Entry) => endedAtMs - totalMs

function nothing(withoutTokens: number, failed: number): string {
  if (withoutTokens + failed === 0) {
    return "found no request, allowed: lines of the gateway's access log (gateway.accessLog)"
  }
  const parts = [
    ...(withoutTokens > 0 ? [`${withoutTokens} without counts of tokens`] : []),
    ...(failed > 0 ? [`${failed} that failed`] : []),
  ]
  return `found only requests that cannot be replayed: ${parts.join(', ')}`
}

/** Null where nobody was asked. */
function answerOf(entry: Entry, isWhole: boolean): LoggedAnswer | null {
  const { endpoint, model, endedAtMs, queueMs, ttftMs, promptTokens, events } = entry
  if (endpoint === null) return null
  return {
    ...{ endpoint, model, endedAtMs, promptTokens },
    sentAtMs: beganAtMs(entry) + queueMs,
    firstTokenAtMs: entry.stream && ttftMs !== null ? beganAtMs(entry) + ttftMs : null,
    cachedTokens: Math.min(entry.cachedTokens, Math.max(0, promptTokens - 1)),
    // An event is about a token.
    outputTokens: entry.completionTokens > 0 ? entry.completionTokens : events,
    // Where another endpoint was tried before, times are of both.
    counts: isWhole && entry.attempts <= 1,
  }
}

interface Entry {
  readonly endedAtMs: number
  readonly totalMs: number
  readonly status: number
  /** Its stream ended in an error, after a status that was good. */
  readonly wasCut: boolean
  readonly model: string | null
  readonly client: string | null
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly events: number
  readonly endpoint: string | null
  readonly attempts: number
  readonly stream: boolean
  readonly queueMs: number
  readonly ttftMs: number | null
}

/** No model has a longer context: more is no count of tokens. */
const tokensMax = 10_000_000

/** Null for a line that is not the end of a request. */
function entryOf(line: string): Entry | null {
  if (!line.startsWith('{')) return null
  const value = parseJson(line)
  if (typeof value !== 'object' || value === null) return null
  const fields = value as Readonly<Record<string, unknown>>
  const endedAtMs = typeof fields['time'] === 'string' ? Date.parse(fields['time']) : Number.NaN
  const totalMs = fields['totalMs']
  if (Number.isNaN(endedAtMs) || typeof totalMs !== 'number') return null
  const number = (key: string) => (typeof fields[key] === 'number' ? fields[key] : 0)
  const count = (key: string) => {
    const value = number(key)
    return Number.isInteger(value) && value >= 0 && value <= tokensMax ? value : 0
  }
  const text = (key: string) => (typeof fields[key] === 'string' ? fields[key] : null)
  const { attempts, ttftMs } = fields
  return {
    endedAtMs,
    totalMs,
    status: number('status'),
    wasCut: text('error') !== null,
    // Clients write aliases: only what answered says which model that is.
    model: text('answeredModel') ?? text('model'),
    client: text('key'),
    promptTokens: count('promptTokens'),
    cachedTokens: count('cachedTokens'),
    completionTokens: count('completionTokens'),
    events: count('events'),
    endpoint: text('endpoint'),
    attempts: Array.isArray(attempts) ? attempts.length : 1,
    stream: fields['stream'] === true,
    queueMs: number('queueMs'),
    ttftMs: typeof ttftMs === 'number' ? ttftMs : null,
  }
}
