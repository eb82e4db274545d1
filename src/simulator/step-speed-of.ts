import { type StepTimeParameters, stepTimeOf } from '#batching/step-time.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/** Sizes of a step at which the linear part is written down; kernels change between such sizes. */
const sizes = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048]

/** What a router that knows a device's speed is told: the engine's own step times as a table. */
export function stepSpeedOf({
  stepTime: parameters,
  batchTokens,
}: {
  readonly stepTime: StepTimeParameters
  readonly batchTokens: number
}): StepSpeed {
  const { overheadMs, headMs, decodeMs } = parameters
  const fixedMs = overheadMs + headMs + decodeMs
  const stepTime = stepTimeOf({ ...parameters, prefillMsPerTokenPair: 0 })
  const linearMs = [...sizes.filter((size) => size < batchTokens), batchTokens].map((tokens) => {
    const one = { decodes: 1, decodeContextTokens: 0, prefillTokenPairs: 0 }
    const ms = stepTime({ ...one, prefillTokens: tokens - 1 })
    return [tokens, Math.max(0, ms - fixedMs)] as const
  })
  return {
    fixedMs,
    linearMs,
    decodeMsPerContextToken: parameters.decodeMsPerContextToken,
    prefillMsPerTokenPair: parameters.prefillMsPerTokenPair,
  }
}
