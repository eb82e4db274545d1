import type { StepTimeParameters } from '#batching/step-time.ts'

/**
 * What a device's figures rest on, from what carries a claim to what only makes fleets uneven:
 * checked against a run of a real engine; fitted to a published profile; measured in parts; scaled
 * from another device; or guessed from its specification.
 */
export type Basis = 'validated' | 'fitted' | 'part measured' | 'scaled' | 'estimate'

/** How one device serves one model: how long its steps take and how much it can hold. */
export interface DeviceModel {
  readonly title: string
  readonly model: string
  /** The engine that the figures are of. */
  readonly engine: 'vllm' | 'llama-server'
  readonly basis: Basis
  /** Where the figures come from, and what was done to them. */
  readonly source: string
  readonly stepTime: StepTimeParameters
  /** Sequences at a time, as an engine is usually set up on such a device. */
  readonly seats: number
  /** Tokens in a step. */
  readonly batchTokens: number
  /** Tokens that its KV cache holds beside the weights. */
  readonly kvTokens: number
}
