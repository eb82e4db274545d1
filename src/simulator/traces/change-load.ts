import {
  makeTrace,
  requestsPerSecond,
  type Trace,
  type TraceRequest,
} from '#simulator/traces/trace.ts'

export interface LoadOptions {
  readonly ratePerSecond: number
  readonly durationMs: number
  /**
   * How more or less load is made of one window. `superpose` lays shifted copies over each other,
   * so that bursts keep their length; `compress` multiplies all times, so that they grow against
   * the time an answer takes.
   */
  readonly how: 'superpose' | 'compress'
  /** Numbers in [0, 1): where the copies begin. */
  readonly chance: () => number
}

/** A trace at another rate and length. The same chance gives the same requests. */
export function changeLoad(trace: Trace, options: LoadOptions): Trace {
  const { ratePerSecond, durationMs, how, chance } = options
  const own = requestsPerSecond(trace)
  if (own === 0) return trace
  const copies = how === 'compress' ? 1 : Math.max(1, Math.round(ratePerSecond / own))
  const layers = Array.from({ length: copies }, (_, copy) =>
    shiftPhase(inNamespace(trace, copy), chance() * trace.spanMs),
  )
  const whole = copies === 1 ? layers[0]! : layOver(layers)
  const stretched = stretch(whole, (own * copies) / ratePerSecond)
  return tile(stretched, durationMs)
}

/** The window begins elsewhere and goes round. */
export function shiftPhase(trace: Trace, byMs: number): Trace {
  const { requests, spanMs } = trace
  const shifted = requests.map((one) => ({ ...one, arrivalMs: (one.arrivalMs + byMs) % spanMs }))
  return { ...trace, requests: byTime(shifted) }
}

/** All times are multiplied by one factor. */
export function stretch(trace: Trace, factor: number): Trace {
  const stretched = trace.requests.map((one) => ({ ...one, arrivalMs: one.arrivalMs * factor }))
  return { ...trace, requests: stretched, spanMs: trace.spanMs * factor }
}

/** The window again and again, and cut off at the end. */
export function tile(trace: Trace, durationMs: number): Trace {
  const { spanMs } = trace
  const requests: TraceRequest[] = []
  for (let round = 0; round * spanMs < durationMs && trace.requests.length > 0; round += 1) {
    for (const one of trace.requests) {
      const arrivalMs = one.arrivalMs + round * spanMs
      if (arrivalMs >= durationMs) break
      requests.push(round === 0 ? one : { ...one, arrivalMs })
    }
  }
  return { ...trace, requests, spanMs: durationMs }
}

/**
 * Requests that came at the same moment of a coarse clock are spread over its tick, in a drawn
 * order: nobody knows when in the tick they came, only that it was not all at once.
 */
export function spreadTicks(trace: Trace, tickMs: number, chance: () => number): Trace {
  const spread = trace.requests.map((one) => ({
    ...one,
    arrivalMs: one.arrivalMs + chance() * tickMs,
  }))
  return makeTrace(trace.name, spread, trace.prefixBlockTokens)
}

/** Room for every block number of one copy below those of the next. */
const namespaceSize = 2 ** 32

/** Copies of a trace are other people's requests: their prompts begin differently. */
function inNamespace(trace: Trace, copy: number): Trace {
  if (copy === 0) return trace
  const requests = trace.requests.map((one) =>
    one.prefixHashes.length === 0
      ? one
      : { ...one, prefixHashes: one.prefixHashes.map((hash) => hash + copy * namespaceSize) },
  )
  return { ...trace, requests }
}

function layOver(layers: readonly Trace[]): Trace {
  return { ...layers[0]!, requests: byTime(layers.flatMap(({ requests }) => requests)) }
}

const byTime = (requests: TraceRequest[]) => requests.sort((a, b) => a.arrivalMs - b.arrivalMs)
