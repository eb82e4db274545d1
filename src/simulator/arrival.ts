import type { ModelName } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import type { LatencyTargets } from '#routing/dispatcher.ts'

/** One request of a trace. Only the engine gets to see how long the answer is. */
export interface Arrival {
  readonly atMs: number
  readonly model: ModelName
  readonly client: string
  readonly service: ServiceClass
  readonly targets: LatencyTargets
  readonly promptTokens: number
  readonly outputTokens: number
  readonly prefixBlocks: readonly number[]
  readonly prefixBlockTokens: number
}
