/** What a request came to in tokens: as its engine reported them, or as they were counted on their way. */
import type { Usage } from '#openai/usage.ts'

export interface SpentTokens extends Usage {
  /** Not all of it was reported: the prompt is estimated, or events of the answer were counted. */
  readonly counted: boolean
}

/**
 * Null where nothing is known. `events` are those of a stream that carried a piece of the answer, null
 * for another answer. A whole answer has its engine's word; of one that was cut, what it said on the
 * way, as in its first event, is less than what came after.
 */
export function spentTokens(
  reported: Usage | null,
  events: number | null,
  of: { readonly promptTokens: number; readonly isWhole: boolean },
): SpentTokens | null {
  if (reported === null) {
    return events === null
      ? null
      : {
          promptTokens: of.promptTokens,
          completionTokens: events,
          cachedTokens: null,
          counted: true,
        }
  }
  const { completionTokens } = reported
  const isAll = completionTokens >= (events ?? 0) || (of.isWhole && completionTokens > 0)
  return isAll
    ? { ...reported, counted: false }
    : { ...reported, completionTokens: events ?? 0, counted: true }
}
