/**
 * The first arrangement: the highest priority first, within it the largest first, because small ones
 * find room between large ones and not the other way round.
 */
import { type Effort, makeRoom } from '#placement/planner/make-room.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { isProtected, reserveRoom } from '#placement/planner/reserve.ts'
import type { Search } from '#placement/planner/search.ts'

export function arrangeGreedily(search: Search, effort: Effort): void {
  const hopeless = new Set<number>()
  const keepsReserve = search.problem.input.reserve === 'n-1'
  let reserved = false
  for (const unit of greedyOrder(search.problem.units)) {
    if (keepsReserve && !reserved && !isProtected(unit)) {
      search.forbidden = reserveRoom(search)
      reserved = true
    }
    if (search.holding(unit) !== null || hopeless.has(unit.wish.index)) continue
    if (!placeUnit(search, unit, effort)) hopeless.add(unit.wish.index)
  }
}

export function greedyOrder(units: readonly Unit[]): Unit[] {
  const size = new Map<number, number>()
  for (const { wish } of units) {
    const bytes = wish.deployment.variants.map(({ facts }) => facts?.tensorBytes ?? 0)
    size.set(wish.index, bytes.length === 0 ? 0 : Math.min(...bytes))
  }
  return units.toSorted(
    (a, b) =>
      b.wish.priority - a.wish.priority ||
      size.get(b.wish.index)! - size.get(a.wish.index)! ||
      a.index - b.index,
  )
}

/** Where it runs, or a free place; else the place of its own predecessor; else one that others have to make. */
export function placeUnit(search: Search, unit: Unit, effort: Effort, depth = 1): boolean {
  if (search.putBack(unit)) return true
  const beside = unit.keeps === null ? null : search.findPlace(unit, undefined, true)
  const place = beside ?? search.findPlace(unit)
  if (place !== null) {
    search.put(unit, place)
    if (search.predecessor(unit) !== null) search.dismissPredecessor(unit)
    return true
  }
  if (search.predecessor(unit) !== null) {
    const mark = search.mark()
    search.dismissPredecessor(unit)
    const instead = search.findPlace(unit)
    if (instead !== null) {
      search.put(unit, instead)
      return true
    }
    search.rollBack(mark)
  }
  if (!makeRoom(search, unit, effort, depth, search.worth())) return false
  if (search.predecessor(unit) !== null) search.dismissPredecessor(unit)
  return true
}
