/**
 * Who is where while the search goes on, and how much memory that takes: the one mutable thing of
 * the planner. Whatever is put in can be taken out again in any order.
 */
import type { PlacedReplica } from '#placement/inventory.ts'
import type { Running, Wish } from '#placement/planner/problem.ts'
import { neighbourSeconds, sameNodeSeconds } from '#placement/planner/ranks/company.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site, Sites } from '#placement/planner/site.ts'

/** Somebody's hold on devices of a node. */
export interface Holding {
  readonly site: Site
  readonly locals: readonly number[]
  needBytes: readonly number[]
  hostBytes: number
  readonly share: boolean
  /** Null for what nobody may touch. */
  readonly wish: Wish | null
  /** Index of the unit that it fulfils, or that is to replace it. */
  readonly unit: number | null
  /** Whether it runs in the stead of its unit, and goes when that is ready elsewhere. */
  readonly isPredecessor: boolean
  /** What runs there; null where it is only planned. */
  readonly running: PlacedReplica | null
  readonly setup: Setup | null
  rung: number
  /** Ranks of this place, without company and shrinking. */
  readonly seconds: number
}

export class Arrangement {
  readonly #sites: Sites
  readonly #usedBytes: Float64Array
  readonly #hostBytes: Float64Array
  readonly residents: Holding[][]
  readonly #onSite: Holding[][]

  constructor(sites: Sites) {
    this.#sites = sites
    const devices = sites.capacityBytes.length
    this.#usedBytes = new Float64Array(devices)
    this.#hostBytes = new Float64Array(sites.sites.length)
    this.residents = Array.from({ length: devices }, () => [])
    this.#onSite = sites.sites.map(() => [])
  }

  add(holding: Holding): void {
    this.#count(holding, 1)
    for (const local of holding.locals) {
      this.residents[holding.site.firstDevice + local]!.push(holding)
    }
    this.#onSite[holding.site.index]!.push(holding)
  }

  remove(holding: Holding): void {
    this.#count(holding, -1)
    for (const local of holding.locals) {
      takeOut(this.residents[holding.site.firstDevice + local]!, holding)
    }
    takeOut(this.#onSite[holding.site.index]!, holding)
  }

  onSite(site: Site): readonly Holding[] {
    return this.#onSite[site.index]!
  }

  usedBytes(site: Site, local: number): number {
    return this.#usedBytes[site.firstDevice + local]!
  }

  /** Whether the devices have room for so much more, in their own memory and in the machine's. */
  hasRoom(
    site: Site,
    locals: readonly number[],
    needBytes: readonly number[],
    hostBytes: number,
  ): boolean {
    const { capacityBytes } = this.#sites
    for (const [at, local] of locals.entries()) {
      const device = site.firstDevice + local
      if (this.#usedBytes[device]! + needBytes[at]! > capacityBytes[device]!) return false
    }
    const needed = this.#hostNeed(site, locals, needBytes, hostBytes)
    return needed <= 0 || needed <= this.#hostFree(site)
  }

  /** What so much more would take of the memory of the machine, and what is left of that. */
  hostRoom(
    site: Site,
    locals: readonly number[],
    needBytes: readonly number[],
    hostBytes: number,
  ): { readonly neededBytes: number; readonly freeBytes: number } {
    return {
      neededBytes: this.#hostNeed(site, locals, needBytes, hostBytes),
      freeBytes: this.#hostFree(site),
    }
  }

  #hostNeed(
    site: Site,
    locals: readonly number[],
    needBytes: readonly number[],
    hostBytes: number,
  ): number {
    const { ownBytes } = this.#sites
    let needed = hostBytes
    for (const [at, local] of locals.entries()) {
      const device = site.firstDevice + local
      const before = this.#usedBytes[device]!
      const own = ownBytes[device]!
      needed += Math.max(0, before + needBytes[at]! - own) - Math.max(0, before - own)
    }
    return needed
  }

  #hostFree({ index }: Site): number {
    return this.#sites.hostBytes[index]! - this.#hostBytes[index]!
  }

  /** Whether those who are there and the newcomer both want to share. */
  isFree(site: Site, locals: readonly number[], share: boolean): boolean {
    for (const local of locals) {
      const residents = this.residents[site.firstDevice + local]!
      if (residents.length === 0) continue
      if (!share) return false
      for (const resident of residents) if (!resident.share) return false
    }
    return true
  }

  isAwayFromOthers(site: Site, wish: Wish): boolean {
    if (wish.awayFrom.size === 0) return true
    for (const { wish: other } of this.#onSite[site.index]!) {
      if (other !== null && wish.awayFrom.has(other.index)) return false
    }
    return true
  }

  /** What company would cost a replica that came here, for itself and for those who are there. */
  companySeconds(site: Site, locals: readonly number[], wish: Wish): number {
    let seconds = 0
    for (const local of locals) {
      if (this.residents[site.firstDevice + local]!.length > 0) seconds += neighbourSeconds
    }
    for (const { wish: other } of this.#onSite[site.index]!) {
      if (other === wish) {
        seconds += sameNodeSeconds
        break
      }
    }
    return seconds
  }

  #count({ site, locals, needBytes, hostBytes }: Holding, sign: 1 | -1): void {
    const { ownBytes } = this.#sites
    let host = hostBytes * sign
    for (const [at, local] of locals.entries()) {
      const device = site.firstDevice + local
      const before = this.#usedBytes[device]!
      const after = before + needBytes[at]! * sign
      this.#usedBytes[device] = after
      const own = ownBytes[device]!
      host += Math.max(0, after - own) - Math.max(0, before - own)
    }
    this.#hostBytes[site.index]! += host
  }
}

export function holdingOfRunning(
  running: Running,
  wish: Wish | null,
  unit: number | null,
  isPredecessor = false,
): Holding {
  return {
    site: running.site,
    locals: running.locals,
    needBytes: running.needBytes,
    hostBytes: running.hostBytes,
    // Whoever starts one by hand sees what else is there: it does not keep others away.
    share: wish?.deployment.share ?? true,
    wish,
    unit,
    isPredecessor,
    running: running.replica,
    setup: null,
    rung: 0,
    seconds: 0,
  }
}

function takeOut(list: Holding[], holding: Holding): void {
  const at = list.indexOf(holding)
  list[at] = list[list.length - 1]!
  list.pop()
}
