import type { Blocker } from '#placement/fit.ts'
import { countText } from '#placement/memory/count-text.ts'

/** Beyond what a model was trained for its answers fall apart, whoever asks for it. */
export function contextBeyondTraining(
  wantedTokens: number | null,
  trainedTokens: number | null,
): Blocker | null {
  if (wantedTokens === null || trainedTokens === null || wantedTokens <= trainedTokens) return null
  return {
    check: 'context',
    what: `${countText(wantedTokens)} tokens are wanted, and the model was trained for ${countText(trainedTokens)}`,
    unlockedBy: `a context of at most ${countText(trainedTokens)}`,
  }
}
