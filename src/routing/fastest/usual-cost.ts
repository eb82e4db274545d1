import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import { isClosed } from '#routing/filters/available.ts'

interface UsualRequest {
  readonly promptTokens: number
  readonly answerTokens: number
}

/**
 * What a request of mean size would take at an endpoint; infinite when it takes none, or has no room
 * for it.
 */
export function usualCostMs(
  model: EndpointModel,
  { promptTokens, answerTokens }: UsualRequest,
  { nowMs, ttftWorth }: { readonly nowMs: number; readonly ttftWorth: number },
): number {
  const { state, weight } = model.told.view
  if (isClosed(state) || weight === 0 || model.isProbed) return Number.POSITIVE_INFINITY
  if (model.seatsTaken + 1 > model.seats) return Number.POSITIVE_INFINITY
  if (model.takenTokens + promptTokens > model.kvTokens) return Number.POSITIVE_INFINITY
  const ttftMs =
    model.currentMs() + model.pendingMs(nowMs) + model.addedMs(promptTokens, promptTokens ** 2 / 2)
  return ttftWorth * ttftMs + answerTokens * model.fullStepMs(promptTokens)
}
