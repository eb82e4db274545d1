/**
 * Brings what has to start and to stop into an order that can be carried out: nothing starts before
 * its place is free, and nobody who answers stops before a successor does, unless its place is what
 * somebody waits for. It is found by doing it: the steps are carried out on a copy of the fleet.
 */
import type { PlacedReplica } from '#placement/inventory.ts'
import type { PlannedReplica, PlanStep } from '#placement/plan.ts'
import { Arrangement, type Holding } from '#placement/planner/arrangement.ts'
import type { Sites } from '#placement/planner/site.ts'

export interface PendingStart {
  readonly replica: PlannedReplica
  readonly holding: Holding
  readonly because: string
  /** Id of the replica whose place in the deployment it takes. */
  readonly succeeds: string | null
  readonly priority: number
}

export interface PendingStop {
  readonly replica: PlacedReplica
  /** Null when it is on a node that is lost: nothing is freed. */
  readonly holding: Holding | null
  readonly because: string
  readonly evictedFor: string | null
  /** Whether it may stop though nobody else answers then: its place is needed or going away. */
  readonly mayInterrupt: boolean
  /** Whether its deployment is to have replicas at all. */
  readonly isWanted: boolean
  readonly priority: number
}

/** What was arranged cannot be reached step by step: each of some waits for the place of another. */
export class NoOrderError extends Error {}

/** Throws {@link NoOrderError}. */
export function orderSteps(
  sites: Sites,
  running: readonly Holding[],
  starts: readonly PendingStart[],
  stops: readonly PendingStop[],
): PlanStep[] {
  return new StepOrder(sites, running).order(starts, stops)
}

class StepOrder {
  readonly #now: Arrangement
  readonly #steps: PlanStep[] = []
  /** Ready replicas of each deployment at this point. */
  readonly #ready = new Map<string, number>()
  /** Steps that start a replica of a deployment. */
  readonly #startsOf = new Map<string, string[]>()
  /** Steps that freed something of a node, by its index. */
  readonly #stopsAt = new Map<number, string[]>()

  constructor(sites: Sites, running: readonly Holding[]) {
    this.#now = new Arrangement(sites)
    for (const holding of running) {
      this.#now.add(holding)
      if (holding.running?.ready === true) this.#countReady(holding.running.deployment, 1)
    }
  }

  order(allStarts: readonly PendingStart[], allStops: readonly PendingStop[]): PlanStep[] {
    // Successors first: what is freed when they are ready may be what others wait for.
    let starts = allStarts.toSorted(
      (a, b) =>
        Number(b.succeeds !== null) - Number(a.succeeds !== null) || b.priority - a.priority,
    )
    let stops = allStops.toSorted((a, b) => a.priority - b.priority)
    while (starts.length > 0 || stops.length > 0) {
      const startsBefore = starts.length
      starts = starts.filter((start) => !this.#tryStart(start))
      if (starts.length < startsBefore) continue
      const waiting = new Set(starts.map(({ succeeds }) => succeeds))
      const free = stops.find(
        (stop) => !waiting.has(stop.replica.id) && !this.#wouldInterrupt(stop),
      )
      const next = free ?? this.#toInterrupt(starts, stops)
      if (next === undefined) {
        throw new NoOrderError('Every replica of a plan must have its place free at some point.')
      }
      this.#stop(next)
      stops = stops.filter((stop) => stop !== next)
    }
    return this.#steps
  }

  #tryStart({ replica, holding, because }: PendingStart): boolean {
    const { site, locals, needBytes, hostBytes, share } = holding
    if (!this.#now.isFree(site, locals, share)) return false
    if (!this.#now.hasRoom(site, locals, needBytes, hostBytes)) return false
    this.#now.add(holding)
    const step = `start ${replica.id}`
    const after = this.#stopsAt.get(site.index) ?? []
    this.#steps.push({ kind: 'start', step, after: [...after], replica, because })
    this.#countReady(replica.deployment, 1)
    const startsOf = this.#startsOf.get(replica.deployment) ?? []
    this.#startsOf.set(replica.deployment, [...startsOf, step])
    return true
  }

  #stop(stop: PendingStop): void {
    const { replica, holding, because, evictedFor } = stop
    const interrupts = this.#wouldInterrupt(stop)
    const step = `stop ${replica.id}`
    const after = replica.deployment === null ? [] : (this.#startsOf.get(replica.deployment) ?? [])
    this.#steps.push({ kind: 'stop', step, after, replica, because, evictedFor, interrupts })
    if (holding === null) return
    this.#now.remove(holding)
    if (replica.ready) this.#countReady(replica.deployment, -1)
    const at = this.#stopsAt.get(holding.site.index) ?? []
    this.#stopsAt.set(holding.site.index, [...at, step])
  }

  #wouldInterrupt({ replica, holding, isWanted }: PendingStop): boolean {
    if (holding === null || !replica.ready || !isWanted) return false
    return (this.#ready.get(replica.deployment ?? '') ?? 0) <= 1
  }

  /** Of those that may: the least important one where somebody waits for room. */
  #toInterrupt(
    starts: readonly PendingStart[],
    stops: readonly PendingStop[],
  ): PendingStop | undefined {
    const may = stops.filter(({ mayInterrupt }) => mayInterrupt)
    const important = starts.toSorted((a, b) => b.priority - a.priority)
    for (const { holding } of important) {
      const inTheWay = may.find((stop) => stop.holding?.site === holding.site)
      if (inTheWay !== undefined) return inTheWay
    }
    return may[0]
  }

  #countReady(deployment: string | null, more: number): void {
    if (deployment === null) return
    this.#ready.set(deployment, (this.#ready.get(deployment) ?? 0) + more)
  }
}
