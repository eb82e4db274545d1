/** What the headers of weights say, as it is told between programs. */
import { z } from 'zod'
import { weightsFormats } from '#core/engine-build.ts'
import type { ModelFacts } from '#core/model-facts.ts'

/** The largest models have some hundred layers. */
const layersMax = 4_096

const count = z.number().min(0)
const optionalCount = count.nullable()
const byLayer = z.array(count).max(layersMax)

export const modelFacts = z.object({
  format: z.enum(weightsFormats),
  architecture: z.string().max(200),
  name: z.string().max(1_000).nullable(),
  parameterCount: count,
  quantization: z.string().max(200).nullable(),
  bitsPerWeight: count,
  tensorBytes: count,
  tensorBytesByPart: z.object({
    byLayer,
    expertsByLayer: byLayer,
    tokenEmbedding: count,
    output: count,
    other: count,
  }),
  tensorCount: count,
  contextTokens: optionalCount,
  layerCount: count,
  embeddingLength: optionalCount,
  feedForwardLength: optionalCount,
  headCount: optionalCount,
  kvHeadCount: optionalCount,
  keyDimension: optionalCount,
  valueDimension: optionalCount,
  attention: z.array(z.object({ kvHeadCount: count, windowTokens: optionalCount })).max(layersMax),
  latentAttention: z.object({ kvLoraRank: count, ropeDimension: count }).nullable(),
  experts: z.object({ count, usedPerToken: count }).nullable(),
  vocabularySize: optionalCount,
  chatTemplate: z.string().max(1_000_000).nullable(),
  pooling: z.enum(['none', 'mean', 'cls', 'last', 'rank']).nullable(),
}) satisfies z.ZodType<ModelFacts>
