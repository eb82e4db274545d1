/**
 * Watches how replicas of plans start: which are ready and how long that took, and which will not
 * come. What it sees it writes down, and says that there is something to plan.
 */
import type { WantedReplica } from '#controller/cluster-state.ts'
import { failedStartKey } from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import { failedStartOf, failureOf, pauseMsAfter } from '#controller/reconcile/failed-start.ts'
import { unwantReplica } from '#controller/replica-wishes.ts'
import type { NodeId } from '#core/ids.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'
import { ownValue } from '#std/own-value.ts'

export class ReplicaStarts {
  readonly #fleet: Fleet
  readonly #onNews: (because: string) => void
  readonly #ready = new Set<string>()
  /** When its engine was first seen to load, its weights being there. */
  readonly #loadingSinceMs = new Map<string, number>()

  constructor(fleet: Fleet, onNews: (because: string) => void) {
    this.#fleet = fleet
    this.#onNews = onNews
  }

  /** To be called with everything that an agent reports. */
  note(node: NodeId, reported: readonly ReportedReplica[]): void {
    for (const replica of reported) {
      const { replicas } = this.#fleet.state
      const wanted = ownValue(replicas, replica.id)
      if (wanted?.node !== node || wanted.placed == null) {
        this.#forget(replica.id)
        continue
      }
      this.#noteOne(wanted, replica)
    }
  }

  #noteOne(wanted: WantedReplica, reported: ReportedReplica): void {
    const { id, state } = reported
    if (state === 'ready') {
      if (this.#ready.has(id)) return
      this.#noteReady(wanted, reported)
      this.#ready.add(id)
      this.#onNews(`${id} is ready`)
      return
    }
    this.#ready.delete(id)
    if (state === 'starting' || state === 'loading') {
      if (!this.#loadingSinceMs.has(id)) this.#loadingSinceMs.set(id, this.#fleet.clock.nowMs())
      return
    }
    const because = failureOf(reported)
    // While most of the fleet is lost nothing is stopped, for whatever reason.
    if (because === null || this.#fleet.isFrozen) return
    this.#giveUp(wanted, because)
  }

  #noteReady({ node, spec, placed }: WantedReplica, { engine }: ReportedReplica): void {
    const fleet = this.#fleet
    if (placed === null) return
    const sinceMs = this.#loadingSinceMs.get(spec.id)
    this.#loadingSinceMs.delete(spec.id)
    const failureKey = failedStartKey(failedStartOf(node, spec, placed, ''))
    const startMs = sinceMs === undefined ? null : Math.round(fleet.clock.nowMs() - sinceMs)
    const { source } = spec
    const start = startMs === null || engine === null ? null : { node, engine, source, startMs }
    if (start === null && fleet.state.failedStarts[failureKey] === undefined) return
    fleet.append({ type: 'start-measured', failureKey, start })
  }

  #giveUp({ node, spec, placed }: WantedReplica, because: string): void {
    const fleet = this.#fleet
    if (placed === null) return
    const failure = failedStartOf(node, spec, placed, because.slice(0, 2_000))
    const before = fleet.state.failedStarts[failedStartKey(failure)]
    const steps = fleet.state.plan?.steps ?? []
    const own = steps.find(({ replica }) => replica.id === spec.id)
    const hadEvicted = steps.some(
      ({ kind, step, replica }) =>
        kind === 'stop' &&
        replica.deployment !== placed.deployment &&
        own?.after.includes(step) === true,
    )
    const pauseMs = pauseMsAfter(before?.times ?? 0, hadEvicted)
    const untilMs = Math.round(fleet.clock.nowMs() + pauseMs)
    // A plan that has this start would begin it again at once: the next plan knows better.
    const over = own === undefined ? [] : [{ type: 'plan-adopted', plan: null } as const]
    fleet.append({ type: 'start-failed', failure, untilMs }, ...over)
    this.#forget(spec.id)
    fleet.log(
      `${spec.id} does not come up on ${fleet.nameOf(node)}, which is left alone for it for ${pauseMs / 60_000} min: ${because}`,
    )
    unwantReplica(fleet, spec.id)
    this.#onNews(`${spec.id} failed to start on ${fleet.nameOf(node)}`)
  }

  #forget(id: string): void {
    this.#ready.delete(id)
    this.#loadingSinceMs.delete(id)
  }
}
