import type { EngineBehaviour } from '#batching/policies/behaviour.ts'
import type { StepTimeParameters } from '#batching/step-time.ts'
import type { ModelName } from '#core/ids.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/** An endpoint as it is, and as the dispatcher is told that it is. */
export interface SimulatedEndpoint {
  readonly id: string
  /** Null when it serves every model. */
  readonly models: readonly ModelName[] | null
  readonly stepTime: StepTimeParameters
  readonly behaviour: EngineBehaviour
  readonly seats: number
  readonly kvTokens: number
  readonly batchTokens: number
  readonly weight: number
  readonly maxInFlight: number | null
  /** What is told of its speed; null when the dispatcher has to find out. */
  readonly told: StepSpeed | null
  /** Whether seats, KV cache and batch size are told. */
  readonly tellsLimits: boolean
}
