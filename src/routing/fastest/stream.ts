import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'

/** A request at the endpoint it was sent to. */
export interface Stream {
  readonly request: DispatchRequest
  readonly endpoint: EndpointModel
  readonly sentAtMs: number
  /** Prompt tokens that are thought not to be in the prefix cache there, at least 1. */
  readonly newTokens: number
  /** Pairs of new tokens and tokens that they attend to. */
  readonly pairs: number
  /** How many tokens its answer is expected to have. */
  readonly expectedTokens: number
  /** What was predicted when it was sent, and which part of that was for prompts. */
  readonly predictedTtftMs: number
  readonly prefillShare: number
  /** When the first token came; null before. */
  firstAtMs: number | null
  lastAtMs: number
  /** Tokens of the answer so far. */
  tokens: number
  /** Its place in the endpoint's list. */
  place: number
}
