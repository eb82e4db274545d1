/**
 * Makes an arrangement better until no single change does: who is without a place gets one by moving
 * others, and who is planned and does not run yet goes where it costs less. What runs is moved for
 * the sake of units without a place alone, never for seconds.
 */
import { greedyOrder, placeUnit } from '#placement/planner/greedy.ts'
import { type Effort, makeRoom } from '#placement/planner/make-room.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { isProtected } from '#placement/planner/reserve.ts'
import { type Search, shrunkSeconds } from '#placement/planner/search.ts'

/** Most of what can be gained is gained in the first two; the rest settles what those moved. */
const roundsMax = 6

const depth = 2

/** Gains of less are not worth a change. */
const leastGainSeconds = 1e-3

export function improve(search: Search, effort: Effort): void {
  const order = greedyOrder(search.problem.units)
  const keepsReserve = search.problem.input.reserve === 'n-1'
  for (let round = 0; round < roundsMax && effort.trialsLeft > 0; round += 1) {
    let changed = false
    const hopeless = new Set<number>()
    for (const unit of order) {
      if (search.holding(unit) !== null || hopeless.has(unit.wish.index)) continue
      if (placeUnit(search, unit, effort, depth)) changed = true
      else hopeless.add(unit.wish.index)
    }
    for (const unit of order) {
      if (effort.trialsLeft <= 0) break
      // Their reserve was reckoned from where they are.
      if (keepsReserve && isProtected(unit)) continue
      if (moveToBetter(search, unit, effort)) changed = true
    }
    if (!changed) return
  }
}

function moveToBetter(search: Search, unit: Unit, effort: Effort): boolean {
  const holding = search.holding(unit)
  if (holding === null || holding.running !== null) return false
  const [ground] = search.groundsOf(unit.wish)
  const bestSeconds = ground?.leastSeconds ?? 0
  const before = search.worth()
  const mark = search.mark()
  search.takeAway(unit)
  const { site, locals } = holding
  const company = search.after.companySeconds(site, locals, unit.wish)
  const now = holding.seconds + shrunkSeconds(holding) + company
  if (unit.keeps === null && bestSeconds >= now - leastGainSeconds) {
    search.rollBack(mark)
    return false
  }
  // What moves away from where it runs does so in one go: to where there is room beside it.
  const moves = unit.keeps !== null
  if (moves && search.putBack(unit) && search.keepIfBetter(mark, before)) return true
  const place = search.findPlace(unit, now - leastGainSeconds, moves)
  if (place !== null) {
    search.put(unit, place)
    if (search.keepIfBetter(mark, before)) return true
    return false
  }
  if (!moves && makeRoom(search, unit, effort, depth, before, now - leastGainSeconds)) return true
  search.rollBack(mark)
  return false
}
