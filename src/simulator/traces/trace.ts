/** One request of a trace: when it came and how large it was. */
export interface TraceRequest {
  readonly arrivalMs: number
  readonly promptTokens: number
  readonly outputTokens: number
  /** Null where the trace is of one model. */
  readonly model: string | null
  /** Null where the trace does not tell who asked. */
  readonly client: string | null
  /** What each block of the prompt is; empty where the trace does not tell. */
  readonly prefixHashes: readonly number[]
}

/** Requests by ascending time. */
export interface Trace {
  readonly name: string
  readonly requests: readonly TraceRequest[]
  /** How long it goes on: until the last request, and as long again as the mean gap. */
  readonly spanMs: number
  /** Tokens in one block of the prefixes. */
  readonly prefixBlockTokens: number
}

/** What came in a moment is played again after this time, and not at once and for ever. */
const spanMsMin = 1_000

export function makeTrace(
  name: string,
  requests: readonly TraceRequest[],
  prefixBlockTokens: number,
): Trace {
  const sorted = [...requests].sort((a, b) => a.arrivalMs - b.arrivalMs)
  const lastMs = sorted.at(-1)?.arrivalMs ?? 0
  const spanMs = Math.max(spanMsMin, lastMs * (1 + 1 / Math.max(1, sorted.length - 1)))
  return { name, requests: sorted, spanMs, prefixBlockTokens }
}

export function requestsPerSecond({ requests, spanMs }: Trace): number {
  return spanMs === 0 ? 0 : (requests.length * 1000) / spanMs
}

/** Without the requests that a model of such a context could not take. */
export function withinContext(trace: Trace, promptTokensMax: number): Trace {
  const fits = ({ promptTokens }: TraceRequest) => promptTokens <= promptTokensMax
  return { ...trace, requests: trace.requests.filter(fits) }
}
