/**
 * The state of a search: which unit is where, what that is worth, and a journal to take trials back.
 *
 * Two arrangements are kept. `after` is the fleet as it will be; `meanwhile` is the same with
 * everything still there that runs now. A replica that must not be interrupted may only move to
 * where it fits meanwhile: then its successor can be ready before it stops.
 */

import { priorities } from '#core/deployment.ts'
import type { Blocker } from '#placement/fit.ts'
import type { FailedStart } from '#placement/inventory.ts'
import { Arrangement, type Holding, holdingOfRunning } from '#placement/planner/arrangement.ts'
import { historyChecks } from '#placement/planner/checks/index.ts'
import type { OpenSite } from '#placement/planner/open-sites.ts'
import type { Problem, Unit, Wish } from '#placement/planner/problem.ts'
import type { Setup, Setups } from '#placement/planner/setup.ts'
import type { MachineClass, Site } from '#placement/planner/site.ts'
import { compareWorth, type Worth } from '#placement/planner/worth.ts'

export interface Place {
  readonly site: Site
  readonly setup: Setup
  readonly rung: number
  /** Ranks of the place itself, as {@link Holding.seconds}. */
  readonly seconds: number
  /** With shrinking and company: what is compared. */
  readonly totalSeconds: number
}

/** A class of machines on which a wish can be fulfilled. */
export interface Ground {
  readonly machineClass: MachineClass
  readonly setups: readonly Setup[]
  readonly open: readonly OpenSite[]
  readonly leastSeconds: number
}

type Entry =
  | { readonly kind: 'held'; readonly unit: number; readonly holding: Holding }
  | { readonly kind: 'released'; readonly unit: number; readonly holding: Holding }
  | { readonly kind: 'rung'; readonly holding: Holding; readonly rung: number }
  | { readonly kind: 'predecessor'; readonly unit: number; readonly holding: Holding }
  | { readonly kind: 'evicted'; readonly unit: number; readonly before: Wish | null }

/** Whether room is kept from a unit, for the loss of a node: see `reserve.ts`. */
export type Forbidden = (
  unit: Unit,
  site: Site,
  locals: readonly number[],
  needBytes: readonly number[],
) => boolean

export class Search {
  readonly problem: Problem
  readonly after: Arrangement
  readonly meanwhile: Arrangement
  readonly #held: (Holding | null)[]
  readonly #keeps: (Holding | null)[]
  readonly #predecessors: (Holding | null)[]
  readonly #evictors: (Wish | null)[]
  readonly #grounds: (readonly Ground[])[] = []
  readonly #unmet: number[]
  #moved = 0
  #seconds = 0
  #journal: Entry[] = []
  forbidden: Forbidden = () => false

  constructor(problem: Problem) {
    this.problem = problem
    this.after = new Arrangement(problem.sites)
    this.meanwhile = new Arrangement(problem.sites)
    this.#held = problem.units.map(() => null)
    this.#evictors = problem.units.map(() => null)
    this.#unmet = priorities.map(() => 0)
    for (const running of problem.untouched) {
      const holding = holdingOfRunning(running, null, null)
      this.after.add(holding)
      this.meanwhile.add(holding)
    }
    for (const { running } of problem.leaving) {
      this.meanwhile.add(holdingOfRunning(running, null, null))
    }
    for (const { wish } of problem.units) this.#unmet[wish.priority]! += 1
    this.#keeps = problem.units.map(({ index, wish, keeps }) =>
      keeps === null ? null : holdingOfRunning(keeps, wish, index),
    )
    this.#predecessors = problem.units.map(({ index, wish, replaces }) =>
      replaces === null ? null : holdingOfRunning(replaces, wish, index, true),
    )
    for (const predecessor of this.#predecessors) {
      if (predecessor === null) continue
      this.after.add(predecessor)
      this.meanwhile.add(predecessor)
    }
    for (const [unit, keep] of this.#keeps.entries()) {
      if (keep === null) continue
      this.#moved += 1
      this.meanwhile.add(keep)
      this.#hold(unit, keep)
    }
    this.#journal = []
  }

  holding(unit: Unit): Holding | null {
    return this.#held[unit.index]!
  }

  keep(unit: Unit): Holding | null {
    return this.#keeps[unit.index]!
  }

  /** What runs in its stead and has not been told to go yet. */
  predecessor(unit: Unit): Holding | null {
    return this.#predecessors[unit.index]!
  }

  worth(): Worth {
    return { unmet: [...this.#unmet], moved: this.#moved, seconds: this.#seconds }
  }

  mark(): number {
    return this.#journal.length
  }

  /** Takes back everything since the mark, last first. */
  rollBack(mark: number): void {
    while (this.#journal.length > mark) {
      const entry = this.#journal.pop()!
      if (entry.kind === 'held') this.#release(entry.unit, entry.holding)
      else if (entry.kind === 'released') this.#hold(entry.unit, entry.holding)
      else if (entry.kind === 'rung') this.#setRung(entry.holding, entry.rung)
      else if (entry.kind === 'evicted') this.#evictors[entry.unit] = entry.before
      else {
        this.#predecessors[entry.unit] = entry.holding
        this.after.add(entry.holding)
      }
    }
  }

  /** Whether what was done since the mark is better; if not, it is taken back. */
  keepIfBetter(mark: number, before: Worth): boolean {
    if (compareWorth(this.worth(), before) < 0) return true
    this.rollBack(mark)
    return false
  }

  put(unit: Unit, place: Place): void {
    const rung = place.setup.ladder.at(place.rung)!
    const holding: Holding = {
      site: place.site,
      locals: place.setup.locals,
      needBytes: rung.needBytes,
      hostBytes: rung.hostBytes,
      share: unit.wish.deployment.share,
      wish: unit.wish,
      unit: unit.index,
      isPredecessor: false,
      running: null,
      setup: place.setup,
      rung: place.rung,
      seconds: place.seconds,
    }
    this.#hold(unit.index, holding)
    this.#journal.push({ kind: 'held', unit: unit.index, holding })
  }

  /** Lets it stay where it runs, if that is still free. */
  putBack(unit: Unit): boolean {
    const keep = this.#keeps[unit.index]!
    if (keep === null || this.#held[unit.index] !== null) return false
    const { site, locals, needBytes, hostBytes, share } = keep
    if (!this.after.isFree(site, locals, share)) return false
    if (!this.after.hasRoom(site, locals, needBytes, hostBytes)) return false
    if (!this.after.isAwayFromOthers(site, unit.wish)) return false
    this.#hold(unit.index, keep)
    this.#journal.push({ kind: 'held', unit: unit.index, holding: keep })
    return true
  }

  takeAway(unit: Unit): void {
    const holding = this.#held[unit.index]!
    this.#release(unit.index, holding)
    this.#journal.push({ kind: 'released', unit: unit.index, holding })
  }

  /** The predecessor's memory is free once it has stopped. */
  dismissPredecessor(unit: Unit): void {
    const holding = this.#predecessors[unit.index]!
    this.#predecessors[unit.index] = null
    this.after.remove(holding)
    this.#journal.push({ kind: 'predecessor', unit: unit.index, holding })
  }

  /** For whom its running replica was last told to go; null when it was not. */
  evictor(unit: Unit): Wish | null {
    return this.#evictors[unit.index]!
  }

  noteEviction(unit: Unit, by: Wish): void {
    this.#journal.push({ kind: 'evicted', unit: unit.index, before: this.#evictors[unit.index]! })
    this.#evictors[unit.index] = by
  }

  setRung(holding: Holding, rung: number): void {
    this.#journal.push({ kind: 'rung', holding, rung: holding.rung })
    this.#setRung(holding, rung)
  }

  /** Where a wish can be fulfilled at all, the best ground first. */
  groundsOf(wish: Wish): readonly Ground[] {
    const known = this.#grounds[wish.index]
    if (known !== undefined) return known
    const { problem } = this
    const grounds = problem.sites.classes.flatMap((machineClass) => {
      const open = problem.sitesFor(wish, machineClass)
      if (open.length === 0) return []
      const { possible }: Setups = problem.setupsFor(wish, machineClass)
      const [best] = possible
      return best === undefined
        ? []
        : [{ machineClass, setups: possible, open, leastSeconds: best.seconds }]
    })
    grounds.sort((a, b) => a.leastSeconds - b.leastSeconds)
    this.#grounds[wish.index] = grounds
    return grounds
  }

  /**
   * The place that costs least, of those that are free; null when none costs less than the bound.
   * `meanwhile` as well: only where it fits beside everything that runs now.
   */
  findPlace(
    unit: Unit,
    bound = Number.POSITIVE_INFINITY,
    meanwhile = false,
    except: Site | null = null,
  ): Place | null {
    const { wish } = unit
    const { share } = wish.deployment
    let best: Place | null = null
    let least = bound
    for (const { setups, open, leastSeconds } of this.groundsOf(wish)) {
      if (leastSeconds >= least) break
      for (const { site, seconds: nodeSeconds, failures } of open) {
        if (site === except) continue
        let isAway: boolean | null = null
        for (const setup of setups) {
          if (setup.seconds >= least) break
          const seconds = setup.seconds + nodeSeconds[setup.variantIndex]!
          if (seconds >= least) continue
          const { locals, ladder } = setup
          if (failures.length > 0 && this.whyNotAgain(wish, site, setup, failures)) continue
          if (!this.after.isFree(site, locals, share)) continue
          isAway ??= this.after.isAwayFromOthers(site, wish)
          if (!isAway) break
          if (meanwhile && !this.meanwhile.isFree(site, locals, share)) continue
          const company = this.after.companySeconds(site, locals, wish)
          if (seconds + company >= least) continue
          for (let position = 0; ; position += 1) {
            const rung = ladder.at(position)
            if (rung === null) break
            const totalSeconds = seconds + company + rung.shrunkSeconds
            if (totalSeconds >= least) break
            const { needBytes, hostBytes } = rung
            if (!this.after.hasRoom(site, locals, needBytes, hostBytes)) continue
            if (this.forbidden(unit, site, locals, needBytes)) continue
            if (meanwhile && !this.meanwhile.hasRoom(site, locals, needBytes, hostBytes)) continue
            best = { site, setup, rung: position, seconds, totalSeconds }
            least = totalSeconds
            break
          }
        }
      }
    }
    return best
  }

  /** What came of the same start before; null when it was not tried, or may be tried again. */
  whyNotAgain(
    { deployment }: Wish,
    { node }: Site,
    { locals, variantIndex, engineIndex, backend }: Setup,
    failures: readonly FailedStart[],
  ): Blocker | null {
    const start = {
      devices: locals.map((local) => node.devices[local]!.id),
      engine: this.problem.input.engines[engineIndex]!.id,
      backend,
      source: deployment.variants[variantIndex]!.source,
    }
    for (const check of historyChecks) {
      const blocker = check.refuse(deployment, start, failures)
      if (blocker !== null) return blocker
    }
    return null
  }

  #hold(unit: number, holding: Holding): void {
    const wish = holding.wish!
    this.#seconds += holding.seconds + shrunkSeconds(holding)
    this.#seconds += this.after.companySeconds(holding.site, holding.locals, wish)
    this.after.add(holding)
    if (holding.running === null) this.meanwhile.add(holding)
    this.#held[unit] = holding
    this.#unmet[wish.priority]! -= 1
    if (holding === this.#keeps[unit]) this.#moved -= 1
  }

  #release(unit: number, holding: Holding): void {
    const wish = holding.wish!
    this.after.remove(holding)
    if (holding.running === null) this.meanwhile.remove(holding)
    this.#seconds -= holding.seconds + shrunkSeconds(holding)
    this.#seconds -= this.after.companySeconds(holding.site, holding.locals, wish)
    this.#held[unit] = null
    this.#unmet[wish.priority]! += 1
    if (holding === this.#keeps[unit]) this.#moved += 1
  }

  #setRung(holding: Holding, position: number): void {
    const rung = holding.setup!.ladder.at(position)!
    this.#seconds -= shrunkSeconds(holding)
    this.after.remove(holding)
    this.meanwhile.remove(holding)
    holding.rung = position
    holding.needBytes = rung.needBytes
    holding.hostBytes = rung.hostBytes
    this.after.add(holding)
    this.meanwhile.add(holding)
    this.#seconds += shrunkSeconds(holding)
  }
}

export function shrunkSeconds({ setup, rung }: Holding): number {
  return setup?.ladder.at(rung)?.shrunkSeconds ?? 0
}
