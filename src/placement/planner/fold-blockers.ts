import type { Blocker } from '#placement/fit.ts'
import { withEngines } from '#placement/planner/with-engines.ts'

/**
 * Of reasons that differ in an amount alone, the one that comes nearest, with how many there were: a
 * model of six quantizations is refused six times by the same device. All others each once.
 */
export function foldBlockers(blockers: readonly Blocker[]): Blocker[] {
  const byReason = new Map<string, { nearest: Blocker; words: Set<string>; on: Set<string> }>()
  for (const blocker of blockers) {
    const { what, on = [], engines } = blocker
    const key = reasonKey(blocker)
    const known = byReason.get(key)
    if (known === undefined) {
      byReason.set(key, { nearest: blocker, words: new Set([what]), on: new Set(on) })
    } else {
      known.words.add(what)
      for (const node of on) known.on.add(node)
      if (known.nearest.what === what) known.nearest = withEngines(known.nearest, engines)
      else if (ratioOf(blocker) < ratioOf(known.nearest)) known.nearest = blocker
    }
  }
  return [...byReason.values()].map(({ nearest, words, on }) => ({
    ...nearest,
    ...(on.size === 0 ? {} : { on: [...on] }),
    ...(words.size === 1
      ? {}
      : { what: `${nearest.what}; ${words.size} ways were tried, and this is the nearest` }),
  }))
}

/** Reasons with the same one differ in an amount at most. */
export function reasonKey({ check, code, what, excess }: Blocker): string {
  return `${check} ${excess === undefined ? what : `${code} ${excess.of}`}`
}

function ratioOf({ excess }: Blocker): number {
  return excess?.ratio ?? Number.POSITIVE_INFINITY
}
