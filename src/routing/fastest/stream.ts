import type { DispatchRequest } from '#routing/dispatcher.ts'

/** A request at the endpoint it was sent to. */
export interface Stream {
  readonly request: DispatchRequest
  readonly sentAtMs: number
  /** Prompt tokens that are thought not to be in the prefix cache there, at least 1. */
  readonly newTokens: number
  /** Pairs of new tokens and tokens that they attend to. */
  readonly pairs: number
  /** How many tokens its answer is expected to have. */
  readonly expectedTokens: number
  /** What was predicted when it was sent, and which part of that was for prompts. */
  readonly predictedTtftMs: number
  readonly predictedTpotMs: number
  readonly prefillShare: number
  /** What was there when it was sent: requests, and the tokens they hold. */
  readonly besideRequests: number
  readonly besideTokens: number
  /** Its TPOT target; infinite without one. */
  readonly targetMs: number
  /** Whether one that was sent after it had its first token before. */
  overtaken: boolean
  /** Whether its first token came, and when. */
  started: boolean
  firstAtMs: number
  lastAtMs: number
  /** Tokens of the answer so far. */
  tokens: number
  /** Its place in the endpoint's list. */
  place: number
}
