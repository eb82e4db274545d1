import type { Blocker } from '#placement/fit.ts'

/**
 * Of reasons that differ in an amount alone, the one that comes nearest, with how many there were: a
 * model of six quantizations is refused six times by the same device. All others each once.
 */
export function foldBlockers(blockers: readonly Blocker[]): Blocker[] {
  const byReason = new Map<string, { nearest: Blocker; words: Set<string> }>()
  for (const blocker of blockers) {
    const { check, code, what, excess } = blocker
    const key = `${check} ${excess === undefined ? what : `${code} ${excess.of}`}`
    const known = byReason.get(key)
    if (known === undefined) byReason.set(key, { nearest: blocker, words: new Set([what]) })
    else {
      known.words.add(what)
      if (ratioOf(blocker) < ratioOf(known.nearest)) known.nearest = blocker
    }
  }
  return [...byReason.values()].map(({ nearest, words }) =>
    words.size === 1
      ? nearest
      : {
          ...nearest,
          what: `${nearest.what}; ${words.size} ways were tried, and this is the nearest`,
        },
  )
}

function ratioOf({ excess }: Blocker): number {
  return excess?.ratio ?? Number.POSITIVE_INFINITY
}
