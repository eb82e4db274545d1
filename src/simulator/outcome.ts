import type { Arrival } from '#simulator/arrival.ts'

/** What became of one arrival. */
export interface Outcome {
  readonly arrival: Arrival
  endpoint: number
  /** When the dispatcher bound it last. */
  sentMs: number | null
  firstTokenMs: number | null
  endMs: number | null
  tokens: number
  hitTokens: number
  rejected: boolean
  bypassed: boolean
  sends: number
}
