/**
 * Choosing jointly for one device: everybody who shares it and does not run yet goes down to the
 * smallest setting, and then whoever gains most by it goes up again, as far as all of them fit.
 */
import type { Holding } from '#placement/planner/arrangement.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { type Search, shrunkSeconds } from '#placement/planner/search.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'

/** Puts the unit there if it fits when others take less; otherwise false, for the caller to roll back. */
export function squeezeIn(
  search: Search,
  unit: Unit,
  site: Site,
  setup: Setup,
  seconds: number,
): boolean {
  const { after } = search
  if (!unit.wish.deployment.share) return false
  const sharers = setup.locals
    .flatMap((local) => after.residents[site.firstDevice + local]!)
    .filter((holding) => holding.running === null && holding.setup !== null)
    .toSorted((a, b) => a.unit! - b.unit!)
  const unique = [...new Set(sharers)]
  for (const holding of unique) {
    const lowest = holding.setup!.ladder.all.length - 1
    if (holding.rung !== lowest) search.setRung(holding, lowest)
  }
  const rungs = setup.ladder.all
  const smallest = rungs.length - 1
  const { needBytes, hostBytes, shrunkSeconds: shrunk } = rungs[smallest]!
  if (!after.hasRoom(site, setup.locals, needBytes, hostBytes)) return false
  if (search.forbidden(unit, site, setup.locals, needBytes)) return false
  const totalSeconds = seconds + shrunk + after.companySeconds(site, setup.locals, unit.wish)
  search.put(unit, { site, setup, rung: smallest, seconds, totalSeconds })
  raise(search, [...unique, search.holding(unit)!])
  return true
}

/** Lets those who stay on devices make use of what somebody else has left. */
export function raiseAt(search: Search, site: Site, locals: readonly number[]): void {
  const shrunk = locals
    .flatMap((local) => search.after.residents[site.firstDevice + local]!)
    .filter((holding) => holding.running === null && holding.rung > 0)
  if (shrunk.length > 0)
    raise(
      search,
      [...new Set(shrunk)].toSorted((a, b) => a.unit! - b.unit!),
    )
}

/** Goes up rung by rung, whoever gains most seconds first, until nobody has room to. */
export function raise(search: Search, holdings: readonly Holding[]): void {
  const { after } = search
  for (;;) {
    let best: Holding | null = null
    let bestGain = 0
    for (const holding of holdings) {
      if (holding.rung === 0 || holding.setup === null) continue
      const above = holding.setup.ladder.at(holding.rung - 1)!
      const gain = shrunkSeconds(holding) - above.shrunkSeconds
      if (gain <= bestGain) continue
      const more = above.needBytes.map((bytes, at) => bytes - holding.needBytes[at]!)
      const moreHost = above.hostBytes - holding.hostBytes
      if (!after.hasRoom(holding.site, holding.locals, more, moreHost)) continue
      best = holding
      bestGain = gain
    }
    if (best === null) return
    search.setRung(best, best.rung - 1)
  }
}
