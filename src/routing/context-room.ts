/**
 * Keeps a request from endpoints whose context does not hold it, while another one's does. How long
 * a prompt is, is an estimate: where no context seems to hold it, the longest may try, and the engine
 * there, which counts, says no.
 */
import type { EndpointId } from '#core/ids.ts'
import type { Constraint } from '#routing/constraint.ts'

/**
 * Before an engine has counted one, estimates of prompts are off by up to this; what is closer than
 * that is sent, and goes on to a longer context when the engine refuses it.
 */
const doubtRatio = 1.5

/** `contexts`: of every endpoint that serves the model, in tokens; null where nobody knows. */
export function withContextRoom(
  base: Constraint | null,
  neededTokens: number,
  contexts: ReadonlyMap<EndpointId, number | null>,
): Constraint | null {
  const open = [...contexts].filter(([id]) => base === null || base.refuse(id) === null)
  const lengths = open.map(([, tokens]) => tokens ?? Number.POSITIVE_INFINITY)
  const enough = Math.min(neededTokens / doubtRatio, Math.max(0, ...lengths))
  const kept = lengths.filter((tokens) => tokens >= enough)
  if (kept.length === lengths.length) return base
  return {
    // All requests that these and no others are long enough for.
    group: `${base?.group ?? ''} context ${Math.min(...kept)}`,
    refuse(id) {
      const refusal = base?.refuse(id) ?? null
      const contextTokens = contexts.get(id) ?? null
      if (refusal !== null || contextTokens === null || contextTokens >= enough) return refusal
      return { kind: 'context', neededTokens, contextTokens }
    },
    misses: (id) => base?.misses(id) ?? 0,
  }
}
