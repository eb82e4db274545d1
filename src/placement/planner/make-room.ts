/**
 * Finds a place for a unit where others are in its way: those of lower priority may lose their
 * place, all others must find another one. A few places are tried, those first where the fewest and
 * the lowest are in the way; what was tried is taken back, and the best of it done.
 */
import type { Holding } from '#placement/planner/arrangement.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { isProtected, isProtectedWish } from '#placement/planner/reserve.ts'
import type { Place, Search } from '#placement/planner/search.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'
import { raiseAt, squeezeIn } from '#placement/planner/squeeze.ts'
import { compareWorth, type Worth } from '#placement/planner/worth.ts'

/** How much a search may still try: counted, not timed, so that every machine finds the same. */
export interface Effort {
  trialsLeft: number
  /** Places tried for one unit. */
  readonly placesTried: number
}

interface Spot {
  readonly site: Site
  readonly setup: Setup
  readonly seconds: number
  readonly victims: readonly Holding[]
  /** Victims by priority, as one number: one of a higher priority outweighs all below it. */
  readonly weight: number
  readonly runningVictims: number
}

/** More than there are replicas on a device. */
const weightStep = 64

/**
 * Puts the unit somewhere if that makes the whole better than before; otherwise nothing changes.
 * `bound`: only where the place itself costs less.
 */
export function makeRoom(
  search: Search,
  unit: Unit,
  effort: Effort,
  depth: number,
  before: Worth,
  bound = Number.POSITIVE_INFINITY,
): boolean {
  const compare = bound === Number.POSITIVE_INFINITY ? leastDisturbing : cheapest
  const spots = spotsFor(search, unit, effort.placesTried, bound, compare)
  let best: { readonly spot: Spot; readonly worth: Worth } | null = null
  const start = search.mark()
  for (const spot of spots) {
    if (effort.trialsLeft <= 0) break
    effort.trialsLeft -= 1
    if (occupy(search, unit, spot, effort, depth)) {
      const worth = search.worth()
      if (compareWorth(worth, best?.worth ?? before) < 0) best = { spot, worth }
    }
    search.rollBack(start)
  }
  if (best === null) return false
  // The same trial in the same state comes out the same, whatever is left of the effort.
  const again: Effort = { ...effort, trialsLeft: Number.POSITIVE_INFINITY }
  occupy(search, unit, best.spot, again, depth)
  return search.keepIfBetter(start, before)
}

function occupy(search: Search, unit: Unit, spot: Spot, effort: Effort, depth: number): boolean {
  const { units } = search.problem
  const displaced: Unit[] = []
  for (const victim of spot.victims) {
    const owner = units[victim.unit!]!
    if (victim.running !== null) search.noteEviction(owner, unit.wish)
    if (victim.isPredecessor) search.dismissPredecessor(owner)
    else {
      search.takeAway(owner)
      displaced.push(owner)
    }
  }
  if (!settle(search, unit, spot)) return false
  for (const { site, locals } of spot.victims) raiseAt(search, site, locals)
  displaced.sort((a, b) => b.wish.priority - a.wish.priority || a.index - b.index)
  for (const victim of displaced) {
    if (search.putBack(victim)) continue
    const mayBeInterrupted = victim.keeps === null || victim.wish.priority < unit.wish.priority
    const place =
      (victim.keeps === null ? null : search.findPlace(victim, undefined, true)) ??
      (mayBeInterrupted ? search.findPlace(victim) : null)
    if (place !== null) {
      search.put(victim, place)
      continue
    }
    if (victim.wish.priority < unit.wish.priority) continue
    if (victim.keeps !== null || depth <= 1) return false
    if (!makeRoom(search, victim, effort, depth - 1, search.worth())) return false
  }
  return true
}

function settle(search: Search, unit: Unit, { site, setup, seconds }: Spot): boolean {
  const { share } = unit.wish.deployment
  if (!search.after.isFree(site, setup.locals, share)) return false
  if (!search.after.isAwayFromOthers(site, unit.wish)) return false
  const company = search.after.companySeconds(site, setup.locals, unit.wish)
  for (let position = 0; ; position += 1) {
    const rung = setup.ladder.at(position)
    if (rung === null) break
    const { needBytes, hostBytes } = rung
    if (!search.after.hasRoom(site, setup.locals, needBytes, hostBytes)) continue
    if (search.forbidden(unit, site, setup.locals, needBytes)) continue
    const totalSeconds = seconds + company + rung.shrunkSeconds
    search.put(unit, { site, setup, rung: position, seconds, totalSeconds })
    return true
  }
  return squeezeIn(search, unit, site, setup, seconds)
}

/** The cheapest places where nobody is in the way, no two of them alike. */
export function freeSpots(search: Search, unit: Unit, count: number): Place[] {
  const spots = spotsFor(search, unit, count, Number.POSITIVE_INFINITY, freeFirst)
  return spots.flatMap(({ site, setup, seconds, victims }) => {
    if (victims.length > 0) return []
    const rung = firstRung(search, site, setup)
    return rung === null ? [] : [{ site, setup, rung, seconds, totalSeconds: seconds }]
  })
}

function firstRung(search: Search, site: Site, { locals, ladder }: Setup): number | null {
  for (let position = 0; ; position += 1) {
    const rung = ladder.at(position)
    if (rung === null) return null
    if (search.after.hasRoom(site, locals, rung.needBytes, rung.hostBytes)) return position
  }
}

function spotsFor(
  search: Search,
  unit: Unit,
  count: number,
  bound: number,
  compare: (a: Spot, b: Spot) => number,
): Spot[] {
  const spots: Spot[] = []
  for (const { setups, open, leastSeconds } of search.groundsOf(unit.wish)) {
    if (leastSeconds >= bound) break
    for (const { site, seconds: nodeSeconds, failures } of open) {
      const there = neighboursOn(search, unit, site)
      for (const setup of setups) {
        const seconds = setup.seconds + nodeSeconds[setup.variantIndex]!
        if (seconds >= bound) continue
        if (failures.length > 0 && search.whyNotAgain(unit.wish, site, setup, failures)) continue
        const victims = inTheWay(search, unit, site, setup, there)
        if (victims === null) continue
        let weight = 0
        let runningVictims = 0
        for (const { wish, running } of victims) {
          weight += weightStep ** wish!.priority
          if (running !== null) runningVictims += 1
        }
        const spot = { site, setup, seconds, victims, weight, runningVictims }
        insertSorted(spots, spot, count, compare)
      }
    }
  }
  return spots
}

interface Neighbour {
  readonly holding: Holding
  readonly mayGo: boolean
}

/** Whoever is on a node, and whether the unit may ask them to go: the same for all of its setups. */
function neighboursOn(search: Search, unit: Unit, site: Site): readonly Neighbour[] {
  return search.after
    .onSite(site)
    .map((holding) => ({ holding, mayGo: mayGo(search, unit, holding) }))
}

/** Who has to go so that the setup fits on its smallest rung; null when somebody cannot. */
function inTheWay(
  search: Search,
  unit: Unit,
  site: Site,
  setup: Setup,
  there: readonly Neighbour[],
): Holding[] | null {
  const { after } = search
  const { wish } = unit
  const { share } = wish.deployment
  const victims: Holding[] = []
  const others: Holding[] = []
  for (const { holding, mayGo: goes } of there) {
    const here = holding.locals.some((local) => setup.locals.includes(local))
    const isForeign = here && !(share && holding.share)
    const isTooNear = holding.wish !== null && wish.awayFrom.has(holding.wish.index)
    if (isForeign || isTooNear) {
      if (!goes) return null
      victims.push(holding)
    } else if (goes) others.push(holding)
  }
  for (const victim of victims) after.remove(victim)
  const fits = () => {
    for (let position = 0; ; position += 1) {
      const rung = setup.ladder.at(position)
      if (rung === null) return false
      if (after.hasRoom(site, setup.locals, rung.needBytes, rung.hostBytes)) return true
    }
  }
  let enough = fits()
  if (!enough) {
    // Those on the very devices first, then those that only use the same memory of the machine.
    const near = (holding: Holding) =>
      holding.locals.some((local) => setup.locals.includes(local)) ? 0 : 1
    others.sort(
      (a, b) => near(a) - near(b) || a.wish!.priority - b.wish!.priority || largestFirst(a, b),
    )
    for (const other of others) {
      after.remove(other)
      victims.push(other)
      enough = fits()
      if (enough) break
    }
  }
  for (const victim of victims) after.add(victim)
  return enough ? victims : null
}

function mayGo(
  { problem }: Search,
  unit: Unit,
  { wish, running, isPredecessor, unit: index }: Holding,
): boolean {
  if (wish === null || index === null || index === unit.index) return false
  // Where it is decides which room is kept for it.
  const isKept = problem.input.reserve === 'n-1' && isProtectedWish(wish)
  if (isKept && !isProtected(unit)) return false
  if (running === null) return true
  if (problem.input.frozen) return false
  // What runs is not disturbed for the sake of something less important.
  return isPredecessor ? wish.priority < unit.wish.priority : wish.priority <= unit.wish.priority
}

function largestFirst(a: Holding, b: Holding): number {
  return b.needBytes[0]! - a.needBytes[0]! || a.unit! - b.unit!
}

function insertSorted(
  spots: Spot[],
  spot: Spot,
  count: number,
  compare: (a: Spot, b: Spot) => number,
): void {
  let at = spots.length
  while (at > 0 && compare(spot, spots[at - 1]!) < 0) at -= 1
  if (at >= count) return
  // Of devices that cannot be told apart, with the same on them, one says what all would.
  for (let near = at - 1; near >= 0 && compare(spots[near]!, spot) === 0; near -= 1) {
    if (isAlike(spots[near]!, spot)) return
  }
  spots.splice(at, 0, spot)
  if (spots.length > count) spots.pop()
}

function isAlike(a: Spot, b: Spot): boolean {
  return (
    a.setup.ladder === b.setup.ladder &&
    a.victims.length === b.victims.length &&
    a.victims.every(({ wish, setup, running }, at) => {
      const other = b.victims[at]!
      return (
        running === null &&
        other.running === null &&
        wish === other.wish &&
        setup?.ladder === other.setup?.ladder
      )
    })
  )
}

/** For a unit without a place: whoever is in the way should be few, and of low priority. */
function leastDisturbing(a: Spot, b: Spot): number {
  return a.weight - b.weight || a.runningVictims - b.runningVictims || a.seconds - b.seconds
}

function freeFirst(a: Spot, b: Spot): number {
  return Math.min(1, a.victims.length) - Math.min(1, b.victims.length) || a.seconds - b.seconds
}

/** For one that has a place: the others find another, and what counts is what is gained. */
function cheapest(a: Spot, b: Spot): number {
  return a.runningVictims - b.runningVictims || a.seconds - b.seconds || a.weight - b.weight
}
