/** What an agent replies when it is asked what weights are. */
import { z } from 'zod'
import type { ModelFacts } from '#core/model-facts.ts'
import { modelFacts } from '#protocol/model-facts.ts'

export const inspectedWeights = z.object({
  /** The reference as the agent writes it. */
  source: z.string().max(2_000),
  facts: modelFacts,
  /** Of all files that an engine is given. */
  sizeBytes: z.number().min(0),
}) satisfies z.ZodType<InspectedWeights>
export interface InspectedWeights {
  readonly source: string
  readonly facts: ModelFacts
  readonly sizeBytes: number
}
