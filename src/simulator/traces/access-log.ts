import { TraceError } from '#simulator/traces/parse-trace.ts'
import { makeTrace, type Trace, type TraceRequest } from '#simulator/traces/trace.ts'
import { parseJson } from '#std/parse-json.ts'

export interface AccessLog {
  readonly trace: Trace
  /** Who answered those requests, and in what time; of logs that do not tell it, nothing. */
  readonly answers: readonly LoggedAnswer[]
  /** Requests whose answer told no counts of tokens, or that wrote none. */
  readonly withoutTokens: number
  /** Requests that were refused or failed: nobody knows how long their answers would have been. */
  readonly failed: number
}

/** An answer as the log tells it: what it says of the endpoint that gave it. */
export interface LoggedAnswer {
  readonly endpoint: string
  readonly model: string | null
  readonly promptTokens: number
  readonly outputTokens: number
  /** From the moment on that the endpoint was chosen; null where it came in one piece. */
  readonly firstTokenMs: number | null
  readonly answerMs: number
}

/** Blocks play no part: a log does not tell how prompts begin. */
const prefixBlockTokens = 512

/**
 * Reads the gateway's access log, one JSON object on each line, as a trace. Lines of other logs in
 * between are passed over. Throws {@link TraceError} when nothing can be replayed.
 */
export function parseAccessLog(text: string, name: string): AccessLog {
  const requests: TraceRequest[] = []
  const answers: LoggedAnswer[] = []
  let withoutTokens = 0
  let failed = 0
  for (const line of text.split('\n')) {
    const entry = entryOf(line)
    if (entry === null) continue
    if (entry.status >= 400 || entry.wasCut) failed++
    else if (entry.promptTokens < 1 || entry.completionTokens < 1) withoutTokens++
    else {
      requests.push({
        arrivalMs: entry.endedAtMs - entry.totalMs,
        promptTokens: entry.promptTokens,
        outputTokens: entry.completionTokens,
        model: entry.model,
        client: entry.client,
        prefixHashes: [],
      })
      const answer = answerOf(entry)
      if (answer !== null) answers.push(answer)
    }
  }
  if (requests.length === 0) throw new TraceError(`${name}: ${nothing(withoutTokens, failed)}`)
  const firstMs = requests.reduce((least, one) => Math.min(least, one.arrivalMs), Infinity)
  const fromZero = requests.map((one) => ({ ...one, arrivalMs: one.arrivalMs - firstMs }))
  return { trace: makeTrace(name, fromZero, prefixBlockTokens), answers, withoutTokens, failed }
}

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

/** Null where another endpoint was tried before: the times are then of both. */
function answerOf(entry: Entry): LoggedAnswer | null {
  const { endpoint, model, promptTokens, completionTokens, queueMs } = entry
  if (endpoint === null || entry.attempts > 1) return null
  return {
    ...{ endpoint, model, promptTokens, outputTokens: completionTokens },
    firstTokenMs: entry.stream && entry.ttftMs !== null ? entry.ttftMs - queueMs : null,
    answerMs: entry.totalMs - queueMs,
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
  readonly completionTokens: number
  readonly endpoint: string | null
  readonly attempts: number
  readonly stream: boolean
  readonly queueMs: number
  readonly ttftMs: number | null
}

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
    promptTokens: number('promptTokens'),
    completionTokens: number('completionTokens'),
    endpoint: text('endpoint'),
    attempts: Array.isArray(attempts) ? attempts.length : 1,
    stream: fields['stream'] === true,
    queueMs: number('queueMs'),
    ttftMs: typeof ttftMs === 'number' ? ttftMs : null,
  }
}
