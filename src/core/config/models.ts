/** `models:` of motley.yaml: what clients may ask for, beyond the names that engines report. */
import { z } from 'zod'
import { timeoutsConfig } from '#core/config/gateway.ts'
import { modelText } from '#core/config/text.ts'
import { weightsFormats } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'

/** Only its form is looked at here: what there is behind it, a node finds out. */
const sourceText = z
  .string()
  .max(2_000)
  .regex(/^(hf:[^\s/]+\/\S+|https?:\/\/\S+|file:\S+|node:\S+|\.{0,2}\/\S*|~\/\S*)$/)
  .meta({
    allowed: 'hf:owner/repo[:quantization], hf:owner/repo/file, https://…, file:… or a path',
  })

const variantConfig = z.strictObject({
  source: sourceText.describe('Where its weights are, as hf:owner/repo:Q4_K_M.'),
  engines: z
    .array(z.enum(engineIds))
    .min(1)
    .optional()
    .describe('Engines that may serve it. Left out: any that can.'),
  format: z
    .enum(weightsFormats)
    .optional()
    .describe('How its weights are written. Left out: what the source says.'),
})

export const modelConfig = z.strictObject({
  variants: z
    .array(variantConfig)
    .default([])
    .describe('Several files of one model: which of them is chosen for each device.'),
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
