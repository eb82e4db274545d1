/** `models:` of motley.yaml: what clients may ask for, beyond the names that engines report. */
import { z } from 'zod'
import { timeoutsConfig } from '#core/config/gateway.ts'
import { modelText } from '#core/config/text.ts'

export const modelConfig = z.strictObject({
  /** Other names for the same model. */
  aliases: z.array(modelText).default([]),
  /** Models to try, in this order, when no endpoint of this one can answer. */
  fallback: z.array(modelText).default([]),
  timeouts: timeoutsConfig.default({}),
})

export type ModelConfig = z.output<typeof modelConfig>
