/** `embedded:` of motley.yaml: one model file served by the engine that comes with Motley. */
import { z } from 'zod'
import { contextTokens, modelText, pathText } from '#core/config/text.ts'

export const embeddedConfig = z.strictObject({
  model: pathText.describe('A GGUF file; a relative path starts at the folder of motley.yaml.'),
  name: modelText
    .optional()
    .describe('What clients call the model. Left out: the name of the file without its ending.'),
  slots: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe('Answers it writes at a time; further requests wait in the gateway.'),
  contextTokens: contextTokens
    .optional()
    .describe('The longest prompt plus answer, in tokens. Left out: what the model was made for.'),
  threads: z
    .int()
    .min(1)
    .max(1_024)
    .optional()
    .describe('CPU threads. Left out: the engine chooses.'),
})

export type EmbeddedConfig = z.output<typeof embeddedConfig>
