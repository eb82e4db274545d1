/** `models:` of motley.yaml: what clients may ask for, beyond the names that engines report. */
import { z } from 'zod'
import { timeoutsConfig } from '#core/config/gateway.ts'
import { modelText } from '#core/config/text.ts'

export const modelConfig = z.strictObject({
  aliases: z.array(modelText).default([]).describe('Other names for the same model.'),
  fallback: z
    .array(modelText)
    .default([])
    .describe('Models to try, in this order, when no endpoint of this one can answer.'),
  timeouts: timeoutsConfig
    .default({})
    .describe('How long a request for this model may take; over gateway.timeouts.'),
})

export type ModelConfig = z.infer<typeof modelConfig>
