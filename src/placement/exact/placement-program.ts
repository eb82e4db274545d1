/**
 * The same question as the search's, as a program: one variable for each place that a wish may have,
 * one for each replica that may stay, memory as one row a device, and company in rows of its own.
 */

import type { Problem, Running, Unit, Wish } from '#placement/planner/problem.ts'
import { neighbourSeconds, sameNodeSeconds } from '#placement/planner/ranks/company.ts'
import type { Search } from '#placement/planner/search.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'
import type { Row, Term, Variable } from '#std/linear-program.ts'

/** One place that a wish may have, on one rung. */
export interface Column {
  readonly name: string
  readonly wish: Wish
  readonly site: Site
  readonly setup: Setup
  readonly rung: number
  /** Ranks of the place; company has variables of its own. */
  readonly seconds: number
  readonly shrunkSeconds: number
}

export interface PlacementProgram {
  readonly columns: readonly Column[]
  readonly variables: readonly Variable[]
  readonly rows: readonly Row[]
  /** Units without a place, by index of the wish. */
  readonly unmet: readonly string[]
  readonly seconds: readonly Term[]
  /** Variables that are 1 where a running replica stays, by index of the unit. */
  readonly keeps: ReadonlyMap<number, string>
  readonly predecessors: ReadonlyMap<number, string>
}

/** Bytes are too many for a solver's tolerances. */
const gibibyte = 2 ** 30

/** Null when it has more places than a solver gets through in the time of a plan. */
export function placementProgram(search: Search, columnsMax: number): PlacementProgram | null {
  const columns = columnsOf(search)
  return columns.length > columnsMax ? null : new ProgramBuilder(search.problem, columns).build()
}

function columnsOf(search: Search): Column[] {
  const { problem } = search
  const columns: Column[] = []
  for (const wish of problem.wishes) {
    if (wish.wanted === 0) continue
    for (const { setups, open } of search.groundsOf(wish)) {
      for (const { site, seconds: nodeSeconds, failures } of open) {
        for (const setup of setups) {
          const seconds = setup.seconds + nodeSeconds[setup.variantIndex]!
          if (!Number.isFinite(seconds)) continue
          if (search.whyNotAgain(wish, site, setup, failures) !== null) continue
          if (!wish.deployment.share && isStrangers(problem, site, setup)) continue
          for (const [rung, { needBytes, shrunkSeconds }] of setup.ladder.all.entries()) {
            const fits = setup.locals.every(
              (local, at) =>
                needBytes[at]! <= problem.sites.capacityBytes[site.firstDevice + local]!,
            )
            if (!fits) continue
            const name = `x${columns.length}`
            columns.push({ name, wish, site, setup, rung, seconds, shrunkSeconds })
            // Alone on its devices, nobody gains by taking less.
            if (!wish.deployment.share && !sharesHost(problem, site, setup)) break
          }
        }
      }
    }
  }
  return columns
}

function isStrangers({ untouched }: Problem, site: Site, { locals }: Setup): boolean {
  return untouched.some(
    (one) => one.site === site && one.locals.some((local) => locals.includes(local)),
  )
}

function sharesHost({ sites }: Problem, site: Site, { locals }: Setup): boolean {
  return locals.some((local) => {
    const device = site.firstDevice + local
    return sites.ownBytes[device]! < sites.capacityBytes[device]!
  })
}

/** What a variable means to the devices, if it is 1. */
interface Claim {
  readonly variable: string
  readonly wish: Wish
  readonly site: Site
  readonly locals: readonly number[]
  readonly needBytes: readonly number[]
  readonly hostBytes: number
  readonly max: number
}

class ProgramBuilder {
  readonly #problem: Problem
  readonly #columns: readonly Column[]
  readonly #claims: Claim[] = []
  readonly #rows: Row[] = []
  readonly #variables: Variable[] = []
  readonly #seconds: Term[] = []
  readonly #keeps = new Map<number, string>()
  readonly #predecessors = new Map<number, string>()

  constructor(problem: Problem, columns: readonly Column[]) {
    this.#problem = problem
    this.#columns = columns
  }

  build(): PlacementProgram {
    for (const column of this.#columns) this.#addColumn(column)
    for (const unit of this.#problem.units) this.#addRunning(unit)
    const unmet = this.#demandRows()
    this.#memoryRows()
    this.#distanceRows()
    return {
      columns: this.#columns,
      variables: this.#variables,
      rows: this.#rows,
      unmet,
      seconds: this.#seconds,
      keeps: this.#keeps,
      predecessors: this.#predecessors,
    }
  }

  #addColumn({ name, wish, site, setup, rung, seconds, shrunkSeconds }: Column): void {
    const max = wish.deployment.share ? Math.max(1, wish.wanted) : 1
    const { needBytes, hostBytes } = setup.ladder.at(rung)!
    this.#variable(name, max, true)
    this.#seconds.push({ factor: seconds + shrunkSeconds, variable: name })
    const { locals } = setup
    this.#claims.push({ variable: name, wish, site, locals, needBytes, hostBytes, max })
  }

  #addRunning({ index, wish, keeps, replaces }: Unit): void {
    const add = (prefix: string, running: Running) => {
      const variable = `${prefix}${index}`
      this.#variable(variable, 1, true)
      this.#claims.push({ ...running, variable, wish, max: 1 })
      return variable
    }
    if (keeps !== null) this.#keeps.set(index, add('k', keeps))
    if (replaces !== null) this.#predecessors.set(index, add('p', replaces))
  }

  #demandRows(): string[] {
    const { wishes, units } = this.#problem
    return wishes.map((wish) => {
      const unmet = `u${wish.index}`
      this.#variable(unmet, wish.wanted, false)
      const own = units.filter((unit) => unit.wish === wish)
      const keeps = own.flatMap(({ index }) => this.#keeps.get(index) ?? [])
      const old = own.flatMap(({ index }) => this.#predecessors.get(index) ?? [])
      const places = this.#columns.filter((column) => column.wish === wish).map(({ name }) => name)
      this.#row([...places, ...keeps, unmet].map(once), '=', wish.wanted)
      // Each one that is placed lets one go that runs in the wrong way.
      if (old.length > 0) this.#row([...places, ...old].map(once), '>=', old.length)
      // What runs loses its place to a higher priority, and to nobody else.
      if (keeps.length > 0) {
        const higher = this.#columns
          .filter((column) => column.wish.priority > wish.priority)
          .map(({ name }) => ({ factor: -keeps.length, variable: name }))
        this.#row([once(unmet), ...higher], '<=', wish.wanted - keeps.length)
      }
      return unmet
    })
  }

  #memoryRows(): void {
    const { sites } = this.#problem
    for (const site of sites.sites) {
      const here = this.#claims.filter((claim) => claim.site === site)
      const strangers = this.#problem.untouched.filter((one) => one.site === site)
      if (here.length === 0) continue
      const host: Term[] = here.map(({ hostBytes, variable }) => gib(hostBytes, variable))
      let hostTaken = strangers.reduce((sum, { hostBytes }) => sum + hostBytes, 0)
      for (const local of site.node.devices.keys()) {
        const device = site.firstDevice + local
        const capacity = sites.capacityBytes[device]!
        const own = sites.ownBytes[device]!
        const claims = here.filter(({ locals }) => locals.includes(local))
        const of = ({ locals, needBytes }: Pick<Claim, 'locals' | 'needBytes'>) =>
          needBytes[locals.indexOf(local)] ?? 0
        const taken = strangers.reduce((sum, one) => sum + of(one), 0)
        if (claims.length === 0) {
          hostTaken += Math.max(0, taken - own)
          continue
        }
        const terms = claims.map((claim) => gib(of(claim), claim.variable))
        const running = claims.filter(isRunning).reduce((sum, claim) => sum + of(claim), 0)
        // What is promised twice already is not this plan's doing, and no reason to stop anybody.
        const most = Math.max(capacity - taken, running)
        this.#row(terms, '<=', most / gibibyte)
        if (own === 0) {
          host.push(...terms)
          hostTaken += taken
        } else if (own < capacity) {
          const over = `o${device}`
          this.#variable(over, capacity / gibibyte, false)
          this.#row([...terms, { factor: -1, variable: over }], '<=', (own - taken) / gibibyte)
          host.push({ factor: 1, variable: over })
        }
        const guests = strangers.filter(({ locals }) => locals.includes(local)).length
        this.#companyRows(device, claims, guests)
      }
      const hostRoom = sites.hostBytes[site.index]!
      if (Number.isFinite(hostRoom) && host.some(({ factor }) => factor !== 0)) {
        const running = here.filter(isRunning).reduce((sum, claim) => {
          const drawn = claim.locals.reduce(
            (total, local, at) =>
              sites.ownBytes[site.firstDevice + local] === 0 ? total + claim.needBytes[at]! : total,
            claim.hostBytes,
          )
          return sum + drawn
        }, 0)
        this.#row(merged(host), '<=', Math.max(hostRoom - hostTaken, running) / gibibyte)
      }
    }
  }

  /** Those who do not share are alone; those who do cost each other time. */
  #companyRows(device: number, claims: readonly Claim[], guests: number): void {
    const alone = claims.filter(({ wish }) => !wish.deployment.share)
    const sharing = claims.filter(({ wish }) => wish.deployment.share)
    const already = alone.filter(isRunning).length
    if (alone.length > 0) {
      this.#row(
        alone.map(({ variable }) => once(variable)),
        '<=',
        Math.max(1, already),
      )
    }
    if (sharing.length === 0) return
    const crowd = sharing.reduce((sum, { max }) => sum + max, 0)
    if (alone.length > 0 && !(already > 0 && sharing.some(isRunning))) {
      const others = alone.map(({ variable }) => ({ factor: crowd, variable }))
      const most = crowd * Math.max(1, already)
      this.#row([...sharing.map(({ variable }) => once(variable)), ...others], '<=', most)
    }
    if (crowd + guests < 2) return
    const beside = `n${device}`
    this.#variable(beside, crowd + guests, false)
    this.#seconds.push({ factor: neighbourSeconds, variable: beside })
    const all = [...claims.map(({ variable }) => once(variable)), { factor: -1, variable: beside }]
    this.#row(all, '<=', 1 - guests)
  }

  /** Replicas of a deployment on one node, and deployments that keep away from each other. */
  #distanceRows(): void {
    const { wishes, sites } = this.#problem
    for (const site of sites.sites) {
      const here = this.#claims.filter((claim) => claim.site === site)
      const present = new Map<number, string>()
      for (const wish of wishes) {
        const own = here.filter((claim) => claim.wish === wish)
        if (own.length === 0) continue
        const terms = own.map(({ variable }) => once(variable))
        if (wish.wanted > 1) {
          const more = `m${wish.index}_${site.index}`
          this.#variable(more, wish.wanted, false)
          this.#seconds.push({ factor: sameNodeSeconds, variable: more })
          this.#row([...terms, { factor: -1, variable: more }], '<=', 1)
        }
        if (wish.awayFrom.size === 0) continue
        const running = own.filter(isRunning).length
        if (wish.awayFrom.has(wish.index)) this.#row(terms, '<=', Math.max(1, running))
        const there = `t${wish.index}_${site.index}`
        this.#variable(there, 1, true)
        present.set(wish.index, there)
        const most = own.reduce((sum, { max }) => sum + max, 0)
        this.#row([...terms, { factor: -most, variable: there }], '<=', 0)
      }
      for (const [index, there] of present) {
        for (const other of wishes[index]!.awayFrom) {
          const two = present.get(other)
          if (two !== undefined && index < other) this.#row([once(there), once(two)], '<=', 1)
        }
      }
    }
  }

  #variable(name: string, max: number, isInteger: boolean): void {
    this.#variables.push({ name, max, isInteger })
  }

  #row(terms: readonly Term[], relation: Row['relation'], bound: number): void {
    this.#rows.push({ terms, relation, bound })
  }
}

function once(variable: string): Term {
  return { factor: 1, variable }
}

function gib(bytes: number, variable: string): Term {
  return { factor: bytes / gibibyte, variable }
}

function isRunning({ variable }: Claim): boolean {
  return !variable.startsWith('x')
}

/** One term for each variable: the format allows no more in a row. */
function merged(terms: readonly Term[]): Term[] {
  const factors = new Map<string, number>()
  for (const { factor, variable } of terms) {
    factors.set(variable, (factors.get(variable) ?? 0) + factor)
  }
  return [...factors].map(([variable, factor]) => ({ factor, variable }))
}
