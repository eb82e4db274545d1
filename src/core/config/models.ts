/** `models:` of motley.yaml: what clients may ask for, beyond the names that engines report. */
import { z } from 'zod'
import { timeoutsConfig } from '#core/config/gateway.ts'
import { modelText } from '#core/config/text.ts'
import { priorities } from '#core/deployment.ts'
import { weightsFormats } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { serviceClasses } from '#core/service-class.ts'

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
  class: z
    .enum(serviceClasses)
    .optional()
    .describe(
      'How urgent requests for it are where neither their key nor they themselves say. Left out: a stream is interactive, an answer in one piece is standard.',
    ),
  priority: z
    .enum(priorities)
    .optional()
    .describe(
      'Which of the requests of one class that wait go first. Left out: what its deployment says, or normal.',
    ),
  targets: z
    .strictObject({
      ttftMs: z.number().positive().optional().describe('Milliseconds to the first token.'),
      tpotMs: z.number().positive().optional().describe('Milliseconds for each token after it.'),
    })
    .default({})
    .describe(
      'What `fastest` holds its answers to. Left out: what its deployment says, or what is usual for the class: 2000 and 100 for interactive requests, 10000 and 150 for standard ones and long prompts, nothing for batch ones.',
    ),
})

export type ModelConfig = z.infer<typeof modelConfig>

/** How a model is offered to clients, wherever its weights are. */
export const modelOffer = modelConfig.omit({ variants: true })
export type ModelOffer = z.infer<typeof modelOffer>
