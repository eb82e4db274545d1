/**
 * Makes an arrangement better until no single change does: who is without a place gets one by moving
 * others, and who is planned and does not run yet goes where it costs less. What runs is moved for
 * the sake of units without a place alone, never for seconds.
 */
import { greedyOrder, placeUnit } from '#placement/planner/greedy.ts'
import { type Effort, freeSpots, makeRoom } from '#placement/planner/make-room.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { isProtected } from '#placement/planner/reserve.ts'
import { type Search, shrunkSeconds } from '#placement/planner/search.ts'
import { raiseAt, squeezeIn } from '#placement/planner/squeeze.ts'
import type { Worth } from '#placement/planner/worth.ts'

/** Most of what can be gained is gained in the first two; the rest settles what those moved. */
const roundsMax = 12

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
    if (changed) continue
    for (const unit of order) {
      if (effort.trialsLeft <= 0) break
      if (keepsReserve && isProtected(unit)) continue
      if (stepAside(search, unit, order, effort)) changed = true
    }
    if (!changed) return
  }
}

/**
 * Sends a unit where it costs more, for once, and lets everybody who gains by it move up: what one
 * of them gains may be less than it costs, and what two gain may be more.
 */
function stepAside(search: Search, unit: Unit, order: readonly Unit[], effort: Effort): boolean {
  const holding = search.holding(unit)
  if (holding === null || holding.running !== null || unit.keeps !== null) return false
  const before = search.worth()
  const start = search.mark()
  search.takeAway(unit)
  const elsewhere = freeSpots(search, unit, effort.placesTried)
  search.rollBack(start)
  for (const place of elsewhere) {
    const { site, setup } = place
    if (site === holding.site && setup.locals.join() === holding.locals.join()) continue
    if (effort.trialsLeft <= 0) return false
    effort.trialsLeft -= 1
    search.takeAway(unit)
    search.put(unit, place)
    for (const other of order) if (other !== unit) moveUp(search, other)
    if (search.keepIfBetter(start, before)) return true
  }
  return false
}

/** To a free place that costs less, if there is one. */
function moveUp(search: Search, unit: Unit): void {
  const holding = search.holding(unit)
  if (holding === null || holding.running !== null || unit.keeps !== null) return
  const mark = search.mark()
  search.takeAway(unit)
  const { site, locals } = holding
  const company = search.after.companySeconds(site, locals, unit.wish)
  const now = holding.seconds + shrunkSeconds(holding) + company
  const place = search.findPlace(unit, now - leastGainSeconds)
  if (place === null) search.rollBack(mark)
  else {
    search.put(unit, place)
    raiseAt(search, site, locals)
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
    return setUpAnew(search, unit, before)
  }
  // What moves away from where it runs does so in one go: to where there is room beside it.
  const moves = unit.keeps !== null
  if (moves && search.putBack(unit)) return search.keepIfBetter(mark, before)
  const place = search.findPlace(unit, now - leastGainSeconds, moves)
  if (place !== null) {
    // Its new place first: those it leaves may want the same room.
    search.put(unit, place)
    raiseAt(search, site, locals)
    return search.keepIfBetter(mark, before)
  }
  if (!moves && makeRoom(search, unit, effort, depth, before, now - leastGainSeconds)) return true
  search.rollBack(mark)
  return !moves && setUpAnew(search, unit, before)
}

/** Another way to be where it is: one that takes less may be worth more to those it shares with. */
function setUpAnew(search: Search, unit: Unit, before: Worth): boolean {
  const { site, locals } = search.holding(unit)!
  if (!unit.wish.deployment.share) return false
  if (locals.every((local) => search.after.residents[site.firstDevice + local]!.length < 2)) {
    return false
  }
  for (const { machineClass, setups, open } of search.groundsOf(unit.wish)) {
    if (machineClass !== site.machineClass) continue
    const nodeSeconds = open.find((one) => one.site === site)?.seconds
    if (nodeSeconds === undefined) return false
    for (const setup of setups) {
      if (setup.locals.join() !== locals.join()) continue
      const mark = search.mark()
      search.takeAway(unit)
      const seconds = setup.seconds + nodeSeconds[setup.variantIndex]!
      if (squeezeIn(search, unit, site, setup, seconds)) {
        if (search.keepIfBetter(mark, before)) return true
      } else search.rollBack(mark)
    }
  }
  return false
}
