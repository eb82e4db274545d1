import type { Blocker } from '#placement/fit.ts'

/**
 * Of reasons that differ in an amount alone, the one that comes nearest, with how many there were: a
 * model of six quantizations is refused six times by the same device. All others each once.
 */
export function foldBlockers(blockers: readonly Blocker[]): Blocker[] {
  const byReason = new Map<string, { nearest: Blocker; words: Set<string>; on: Set<string> }>()
  for (const blocker of blockers) {
    const { check, code, what, excess, on = [] } = blocker
    const key = `${check} ${excess === undefined ? what : `${code} ${excess.of}`}`
    const known = byReason.get(key)
    if (known === undefined) {
      byReason.set(key, { nearest: blocker, words: new Set([what]), on: new Set(on) })
    } else {
      known.words.add(what)
      for (const node of on) known.on.add(node)
      if (ratioOf(blocker) < ratioOf(known.nearest)) known.nearest = blocker
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

function ratioOf({ excess }: Blocker): number {
  return excess?.ratio ?? Number.POSITIVE_INFINITY
}
