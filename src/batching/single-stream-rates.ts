import type { DeviceModel } from '#batching/device-model.ts'
import { stepTimeOf } from '#batching/step-time.ts'

/** Two figures that people know a device by. */
export interface SingleStreamRates {
  /** One sequence, and nothing beside it. */
  readonly decodeTokensPerSecond: number
  /** A prompt that fills the step. */
  readonly prefillTokensPerSecond: number
}

/** How fast a device is with one request at a time, attention apart. */
export function singleStreamRates({ stepTime, batchTokens }: DeviceModel): SingleStreamRates {
  const time = stepTimeOf(stepTime)
  const nothing = { decodes: 0, decodeContextTokens: 0, prefillTokens: 0, prefillTokenPairs: 0 }
  const prefillMs = time({ ...nothing, prefillTokens: batchTokens })
  return {
    decodeTokensPerSecond: oneDecimal(1000 / time({ ...nothing, decodes: 1 })),
    prefillTokensPerSecond: Math.round((batchTokens * 1000) / prefillMs),
  }
}

const oneDecimal = (rate: number) => Math.round(rate * 10) / 10
