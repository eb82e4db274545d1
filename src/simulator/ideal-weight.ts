/**
 * What one endpoint can sustain of a mix of requests, from its own parameters: what an operator
 * who knew everything would set as its weight and as its limit.
 */
import { stepTimeOf } from '#batching/step-time.ts'
import type { SimulatedEndpoint } from '#simulator/simulated-endpoint.ts'

export interface Sustained {
  readonly requestsPerSecond: number
  /** Requests that decode at a time then. */
  readonly inFlight: number
}

export interface RequestMix {
  readonly promptTokens: number
  readonly outputTokens: number
}

/** Of the steady states whose steps keep the TPOT target, the one that serves most. */
export function sustained(
  endpoint: Pick<SimulatedEndpoint, 'stepTime' | 'seats' | 'kvTokens' | 'batchTokens'>,
  { promptTokens, outputTokens }: RequestMix,
  tpotMs: number,
): Sustained {
  const stepTime = stepTimeOf(endpoint.stepTime)
  const contextTokens = promptTokens + outputTokens / 2
  let best: Sustained = { requestsPerSecond: 0, inFlight: 1 }
  for (let decodes = 1; decodes <= endpoint.seats; decodes++) {
    if (decodes * contextTokens > endpoint.kvTokens) break
    // As many prompt tokens come in as answers go out.
    const prefillTokens = (decodes * promptTokens) / outputTokens
    if (decodes + prefillTokens > endpoint.batchTokens) break
    const stepMs = stepTime({
      decodes,
      decodeContextTokens: decodes * contextTokens,
      prefillTokens,
      prefillTokenPairs: (prefillTokens * promptTokens) / 2,
    })
    if (stepMs > tpotMs) break
    const requestsPerSecond = (decodes * 1000) / (outputTokens * stepMs)
    if (requestsPerSecond > best.requestsPerSecond) best = { requestsPerSecond, inFlight: decodes }
  }
  return best
}
