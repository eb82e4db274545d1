/** 95.02.66 before 580.65.06: compares number by number, and what is no number counts for nothing. */
export function isOlderVersion(version: string, needed: string): boolean {
  const [one, other] = [version, needed].map((text) => text.split(/[.+~-]/).map(Number))
  for (const [at, part] of (other ?? []).entries()) {
    const own = one?.[at] ?? 0
    if (Number.isNaN(own) || own === part) continue
    return own < part
  }
  return false
}
