/**
 * Room kept free so that the loss of any one node can be made up for. For each node, the important
 * replicas on it are placed once more on the others; what that takes is kept from everybody else.
 * Only one node is lost at a time, so the same room serves for all of them.
 */
import { priorities } from '#core/deployment.ts'
import type { Unit, Wish } from '#placement/planner/problem.ts'
import type { Forbidden, Search } from '#placement/planner/search.ts'

/** From here on a deployment is protected: the others are what makes room for it. */
const protectedFrom = priorities.indexOf('high')

export function isProtected({ wish }: Unit): boolean {
  return isProtectedWish(wish)
}

export function isProtectedWish({ priority }: Wish): boolean {
  return priority >= protectedFrom
}

/** To be asked when all that is protected has its place, and nothing else has. */
export function reserveRoom(search: Search): Forbidden {
  const { sites, units } = search.problem
  const reservedBytes = new Float64Array(sites.capacityBytes.length)
  const isAlone = new Uint8Array(sites.capacityBytes.length)
  for (const site of sites.sites) {
    const here = units.filter((unit) => isProtected(unit) && search.holding(unit)?.site === site)
    if (here.length === 0) continue
    const takenBytes = new Map<number, number>()
    const mark = search.mark()
    for (const unit of here) search.takeAway(unit)
    for (const unit of here) {
      const place = search.findPlace(unit, undefined, false, site)
      if (place === null) continue
      search.put(unit, place)
      const { needBytes } = place.setup.ladder.at(place.rung)!
      for (const [at, local] of place.setup.locals.entries()) {
        const device = place.site.firstDevice + local
        takenBytes.set(device, (takenBytes.get(device) ?? 0) + needBytes[at]!)
        if (!unit.wish.deployment.share) isAlone[device] = 1
      }
    }
    search.rollBack(mark)
    for (const [device, bytes] of takenBytes) {
      reservedBytes[device] = Math.max(reservedBytes[device]!, bytes)
    }
  }
  return (unit, site, locals, needBytes) =>
    !isProtected(unit) &&
    locals.some((local, at) => {
      const device = site.firstDevice + local
      if (isAlone[device] === 1) return true
      const reserved = reservedBytes[device]!
      if (reserved === 0) return false
      const used = search.after.usedBytes(site, local)
      return used + needBytes[at]! > sites.capacityBytes[device]! - reserved
    })
}
