/** What a benchmark found of an endpoint, tokens a second. */
export interface MeasuredSpeed {
  /** One request at a time. */
  readonly promptTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  /** Decoded tokens a second in all, by requests at a time. */
  readonly byConcurrency: readonly { readonly requests: number; readonly tokensPerSecond: number }[]
}
