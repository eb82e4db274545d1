/** What came of one request of a load. Times are milliseconds from when it was due. */
export interface Sample {
  readonly phase: string
  /** When it was due, since the load began. */
  readonly dueMs: number
  readonly outcome: Outcome
  /** Null when no token came. */
  readonly ttftMs: number | null
  /** Mean time between tokens after the first; null for fewer than two tokens. */
  readonly tpotMs: number | null
  readonly endToEndMs: number
  readonly promptTokens: number
  readonly completionTokens: number
  /** Which endpoint answered, where a gateway says so. */
  readonly endpoint: string | null
}

export type Outcome =
  | { readonly kind: 'answered' }
  /** An HTTP status that is no success; `code` is the error's own where it has one. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string | null }
  /** The stream ended without its end, or with an error in it. */
  | { readonly kind: 'cut'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }
  | { readonly kind: 'timed-out' }

/** How an outcome is counted: `answered`, `429 queue_full`, `cut`, … */
export function outcomeName(outcome: Outcome): string {
  if (outcome.kind !== 'refused') return outcome.kind
  return outcome.code === null ? String(outcome.status) : `${outcome.status} ${outcome.code}`
}
