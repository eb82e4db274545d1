/** What one token passes through: all weights, but of experts only those that are chosen. */
import type { ModelFacts } from '#core/model-facts.ts'
import { sum, sumOfRange } from '#placement/memory/sums.ts'

export interface ActiveWeights {
  readonly bytes: number
  readonly parameters: number
}

export function activeWeights(facts: ModelFacts): ActiveWeights {
  const { tensorBytes, tensorBytesByPart, parameterCount } = facts
  // An embedding is looked up: one row of it. Tied, it is read whole as the output.
  const looked = tensorBytesByPart.output > 0 ? tensorBytesByPart.tokenEmbedding : 0
  const idle = sum(tensorBytesByPart.expertsByLayer) * (1 - usedRatio(facts))
  const bytes = Math.max(1, tensorBytes - looked - idle)
  return { bytes, parameters: (parameterCount * bytes) / Math.max(1, tensorBytes) }
}

export function usedRatio({ experts }: ModelFacts): number {
  return experts === null ? 1 : experts.usedPerToken / Math.max(1, experts.count)
}

/** Bytes that one token reads of the layers from `begin` up to `end`, and of their experts alone. */
export function activeLayerBytes(facts: ModelFacts, begin: number, end: number) {
  const { byLayer, expertsByLayer } = facts.tensorBytesByPart
  const experts = sumOfRange(expertsByLayer, begin, end)
  const used = experts * usedRatio(facts)
  return { all: sumOfRange(byLayer, begin, end) - experts + used, experts: used }
}
