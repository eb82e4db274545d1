/**
 * Observe, plan, act, and observe again: makes what runs what deployments want. Everything that it
 * decides follows from what the controller remembers and from what agents tell, so that one that is
 * killed at any point is followed by one that goes on.
 *
 *   something has changed ──▶ plan ──▶ adopt ──▶ next steps ──▶ agents ──▶ something has changed
 *                              ▲                    │ a start fails: left alone for a while
 *                              └────────────────────┘
 */
import { StoreError } from '#controller/event-store.ts'
import type { Fleet } from '#controller/fleet.ts'
import { type Outlook, outlookOf } from '#controller/reconcile/carry-out.ts'
import { type KeptPlan, keptPlan } from '#controller/reconcile/kept-plan.ts'
import {
  type PlanSettings,
  planInputOf,
  wantedDeployments,
} from '#controller/reconcile/plan-input.ts'
import { plannedClaim, plannedSpec } from '#controller/reconcile/planned-spec.ts'
import { ReplicaStarts } from '#controller/reconcile/replica-starts.ts'
import { WeightsAsking } from '#controller/reconcile/weights-asking.ts'
import { tellDesired, unwantReplica } from '#controller/replica-wishes.ts'
import { type NodeId, nodeId } from '#core/ids.ts'
import type { Plan, PlanInput, PlanStep } from '#placement/plan.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'
import type { InspectedWeights } from '#protocol/inspected-weights.ts'

/** In this process or in another: whoever plans takes nothing but what it is asked. */
export type PlanMaker = (input: PlanInput) => Plan | Promise<Plan>

export interface ReconcilerOptions {
  readonly fleet: Fleet
  readonly makePlan: PlanMaker
  /** As it is now; a reload may change it. */
  readonly settings: () => PlanSettings
  readonly keepPlan: (plan: KeptPlan) => void
}

/** News comes in bursts: a rack that is switched on is one reason to plan, and not eight. */
const planSoonMs = 200

/** What no news tells: speeds that were learnt, disks that were emptied, a driver that was mended. */
const planAgainMs = 5 * 60_000

/** How often it is looked whether a failed start may be tried again. */
const lookMs = 5_000

/** A fleet that changes faster than it can be planned for is planned for as it was. */
const stalePlansMax = 3

export class Reconciler {
  readonly #options: ReconcilerOptions
  readonly #starts: ReplicaStarts
  readonly #asking: WeightsAsking
  /** Why a plan is due; empty when none is. */
  #reasons = new Set<string>()
  #cancelPlan: (() => void) | null = null
  #cancelAgain = (): void => {}
  #cancelLook = (): void => {}
  #planning: Promise<void> | null = null
  #lookedAtMs: number
  #closed = false
  /** Whether a plan could not be written down: it is made again. */
  #isUnwritten = false
  /** The last one that was made, whether or not there was anything to do. */
  #lastPlan: Plan | null = null

  constructor(options: ReconcilerOptions) {
    this.#options = options
    const { fleet } = options
    this.#lookedAtMs = fleet.clock.nowMs()
    this.#starts = new ReplicaStarts(fleet, (because) => this.note(because))
    this.#asking = new WeightsAsking(fleet, (because) => this.note(because))
    this.#planAgainLater()
    this.#lookLater()
    this.carryOn()
  }

  get lastPlan(): Plan | null {
    return this.#lastPlan
  }

  /** Why what a source holds is not known; null while nobody has failed to read it. */
  failureToRead(source: string): string | null {
    return this.#asking.failureOf(source)
  }

  /** What a source holds. Rejects with `ControllerRefusal` where no node can tell. */
  readWeights(source: string): Promise<InspectedWeights> {
    return this.#asking.read(source)
  }

  /** Something that a plan depends on has changed. */
  note(because: string): void {
    if (this.#closed) return
    this.#reasons.add(because)
    if (this.#cancelPlan !== null || this.#planning !== null) return
    this.#cancelPlan = this.#options.fleet.clock.schedule(planSoonMs, () => {
      this.#cancelPlan = null
      this.#planning = this.#planAll().finally(() => {
        this.#planning = null
        if (this.#reasons.size > 0) this.note('something has changed meanwhile')
      })
    })
  }

  /** What an agent tells of its replicas, all of them. */
  noteReplicas(node: NodeId, reported: readonly ReportedReplica[]): void {
    if (this.#closed) return
    this.#options.fleet.attempt(() => this.#starts.note(node, reported))
    this.carryOn()
  }

  /** Takes the steps of the plan that can be taken now; those that cannot be written down, later. */
  carryOn(): void {
    this.#options.fleet.attempt(() => this.#takeSteps())
  }

  /** Throws `StoreError`. */
  #takeSteps(): void {
    const { fleet } = this.#options
    for (;;) {
      const { plan } = fleet.state
      if (this.#closed || plan === null) return
      const outlook = this.outlook()
      if (outlook.isOver) {
        fleet.append({ type: 'plan-adopted', plan: null })
        fleet.log(`plan ${plan.id} is carried out`)
        return
      }
      // A plan of before most nodes were lost may still want to stop something: not now.
      const next = outlook.next.filter(({ kind }) => kind === 'start' || !fleet.isFrozen)
      if (next.length === 0) return
      for (const step of next) this.#take(step, plan.id)
    }
  }

  /** How far the plan is that is being carried out. */
  outlook(): Outlook {
    const { fleet } = this.#options
    const { replicas, plan } = fleet.state
    const reportedOf = (id: string, node: string) =>
      fleet.live.get(nodeId(node))?.replicas.find((one) => one.id === id)
    return outlookOf(plan?.steps ?? [], {
      isWanted: (id) => Object.hasOwn(replicas, id),
      isReady: (id) => {
        const wanted = replicas[id]
        return wanted !== undefined && reportedOf(id, wanted.node)?.state === 'ready'
      },
      isThere: ({ id, ...replica }) => {
        const node = nodeId('setting' in replica ? replica.setting.node : replica.node)
        const isMember = fleet.state.nodes[node]?.revoked === false
        if (!isMember || fleet.isGivenUp(node)) return false
        const live = fleet.live.get(node)
        return live?.session == null || live.replicas.some((one) => one.id === id)
      },
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPlan?.()
    this.#cancelAgain()
    this.#cancelLook()
    await this.#planning
  }

  async #planAll(): Promise<void> {
    const { fleet } = this.#options
    try {
      for (let tries = 1; this.#reasons.size > 0 && !this.#closed; tries += 1) {
        const because = this.#reasons
        this.#reasons = new Set()
        await this.#plan(because, tries < stalePlansMax)
      }
    } catch (error) {
      // What runs goes on meanwhile.
      if (error instanceof StoreError) {
        this.#isUnwritten = true
        fleet.tellUnwritten(error)
      } else if (!this.#closed) fleet.log(`no plan could be made: ${(error as Error).message}`)
    }
  }

  async #plan(because: ReadonlySet<string>, mayBeStale: boolean): Promise<void> {
    const { fleet, makePlan, settings } = this.#options
    this.#asking.askForUnknown()
    const hasNothing = wantedDeployments(fleet.state).length === 0
    const replicas = Object.values(fleet.state.replicas)
    if (hasNothing && replicas.every(({ placed }) => placed == null)) return
    const plan = await makePlan(planInputOf(fleet, settings()))
    if (this.#closed) return
    if (this.#reasons.size > 0 && mayBeStale) {
      this.#reasons = new Set([...because, ...this.#reasons])
      return
    }
    this.#adopt(plan, [...because].join('; '))
  }

  #adopt(plan: Plan, because: string): void {
    const { fleet, keepPlan } = this.#options
    const before = fleet.state.plan
    const nowMs = Math.round(fleet.clock.nowMs())
    if (plan.id !== this.#lastPlan?.id) {
      // It is for people: a plan that nobody can look up is carried out all the same.
      fleet.attempt(() => keepPlan(keptPlan(plan, because, nowMs)))
    }
    this.#lastPlan = plan
    if (plan.steps.length === 0) {
      if (before !== null) fleet.append({ type: 'plan-adopted', plan: null })
      return
    }
    if (before?.id !== plan.id) {
      const { id, steps } = plan
      fleet.append({ type: 'plan-adopted', plan: { id, because, adoptedAtMs: nowMs, steps } })
      fleet.log(`plan ${id}, because ${because}: ${stepsText(steps)}`)
    }
    this.carryOn()
  }

  /** Throws `StoreError`. */
  #take(step: PlanStep, plan: string): void {
    const { fleet } = this.#options
    if (step.kind === 'stop') {
      unwantReplica(fleet, step.replica.id)
      return
    }
    const { replica, because } = step
    const node = nodeId(replica.setting.node)
    const deployment = fleet.state.deployments[replica.deployment]?.deployment
    if (deployment === undefined) {
      // It was taken away while its plan was made: the next one does without.
      fleet.append({ type: 'plan-adopted', plan: null })
      this.note(`${replica.deployment} is not wanted any more`)
      return
    }
    const { clock } = fleet
    const made = { plan, because, atMs: Math.round(clock.nowMs()) }
    fleet.append({
      type: 'replica-wanted',
      node,
      spec: plannedSpec(replica, deployment),
      placed: plannedClaim(replica, made, this.#cpuOf(node)),
    })
    tellDesired(fleet, node)
    fleet.endpointsChanged()
  }

  #cpuOf(node: NodeId): string | null {
    const { fleet } = this.#options
    const inventory = fleet.live.get(node)?.inventory ?? fleet.state.nodes[node]?.inventory
    return inventory?.devices.some(({ vendor }) => vendor === 'cpu') ? 'cpu-0' : null
  }

  #planAgainLater(): void {
    this.#cancelAgain = this.#options.fleet.clock.schedule(planAgainMs, () => {
      this.note('it is looked again every 5 min')
      this.#planAgainLater()
    })
  }

  /** Time alone makes a failed start possible again. */
  #lookLater(): void {
    const { fleet } = this.#options
    this.#cancelLook = fleet.clock.schedule(lookMs, () => {
      const nowMs = fleet.clock.nowMs()
      for (const { failure, untilMs } of Object.values(fleet.state.failedStarts)) {
        if (untilMs > this.#lookedAtMs && untilMs <= nowMs) {
          this.note(
            `${failure.deployment} may be tried again on ${fleet.nameOf(nodeId(failure.node))}`,
          )
        }
      }
      this.#lookedAtMs = nowMs
      if (this.#isUnwritten) this.note('what could not be written down is tried again')
      this.#isUnwritten = false
      this.carryOn()
      this.#lookLater()
    })
  }
}

function stepsText(steps: readonly PlanStep[]): string {
  const shown = steps.slice(0, 6).map(({ step }) => step)
  const more = steps.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
