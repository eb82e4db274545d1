/**
 * Watches who asks for which deployment, and says how many replicas each should have; wakes the one
 * that sleeps as soon as somebody asks for it.
 */
import type { WantedDeployment } from '#controller/deployment-state.ts'
import { startKey } from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import { wantedDeployments, wantedReplicasOf } from '#controller/reconcile/plan-input.ts'
import { nextScale, nothingSeen, type ScaleMemory } from '#controller/reconcile/scaling.ts'
import { StartPrediction } from '#controller/reconcile/start-prediction.ts'
import type { Plan } from '#placement/plan.ts'
import type { ModelDemand, SleepingModel } from '#protocol/model-demand.ts'

export interface ScalerOptions {
  readonly fleet: Fleet
  /** What gateways tell, now. */
  readonly demand: () => readonly ModelDemand[]
  readonly lastPlan: () => Plan | null
}

/** A third of the time that a load must last: it is seen three times before anything is done. */
const lookMs = 5_000

export class Scaler {
  readonly #options: ScalerOptions
  readonly #memories = new Map<string, ScaleMemory>()
  /** Nothing is put to sleep before it was there for so long: gateways forget who asked before. */
  readonly #startedAtMs: number
  /** Made anew at each look, so that it says what the fleet was like a few seconds ago at most. */
  #predicted: StartPrediction
  #cancel = (): void => {}

  constructor(options: ScalerOptions) {
    this.#options = options
    this.#startedAtMs = options.fleet.clock.nowMs()
    this.#predicted = new StartPrediction(options.fleet)
    this.#later()
  }

  close(): void {
    this.#cancel()
  }

  /** Somebody asks for the model: deployments of it that sleep are woken. Throws `StoreError`. */
  wake(model: string): void {
    const { fleet } = this.#options
    for (const deployment of this.#serving(model)) {
      if (wantedReplicasOf(fleet.state, deployment) === 0) {
        this.#scale(deployment, 1, 'somebody asks for it')
      }
    }
  }

  /** Null where no deployment serves the model. */
  sleeping(model: string): SleepingModel | null {
    const { fleet } = this.#options
    const deployments = this.#serving(model)
    const [first] = deployments
    if (first === undefined) return null
    const awake = deployments.filter((deployment) => wantedReplicasOf(fleet.state, deployment) > 0)
    if (awake.length === 0) {
      const expectedMs = this.#usualStartMs(first)
      return { model, state: 'asleep', expectedMs, retryMs: null, because: null }
    }
    const waits = awake.map((deployment) => this.#remainingMs(deployment))
    const known = waits.filter((ms) => ms !== null)
    const unplaced = awake.map(({ name }) => this.#unplacedBecause(name) ?? this.#heldUp(name))
    const hasPlace = unplaced.some((because) => because === null)
    return {
      model,
      state: hasPlace ? 'starting' : 'no-place',
      expectedMs: known.length === 0 ? null : Math.min(...known),
      retryMs: hasPlace ? null : this.#retryMs(awake),
      because: hasPlace ? null : (unplaced[0] ?? null),
    }
  }

  /** Until the first start of them that has failed is tried again; null where none is to be. */
  #retryMs(deployments: readonly WantedDeployment[]): number | null {
    const { fleet } = this.#options
    const nowMs = fleet.clock.nowMs()
    const names = new Set(deployments.map(({ name }) => name))
    const waits = Object.values(fleet.state.failedStarts)
      .filter(({ failure, untilMs }) => names.has(failure.deployment) && untilMs > nowMs)
      .map(({ untilMs }) => untilMs - nowMs)
    return waits.length === 0 ? null : Math.min(...waits)
  }

  /** Models that deployments serve, whether or not there is a replica. */
  models(): string[] {
    return [...new Set(wantedDeployments(this.#options.fleet.state).map(({ model }) => model))]
  }

  #later(): void {
    const { fleet } = this.#options
    this.#cancel = fleet.clock.schedule(lookMs, () => {
      fleet.attempt(() => this.#look())
      this.#later()
    })
  }

  /** Throws `StoreError`. */
  #look(): void {
    const { fleet } = this.#options
    this.#predicted = new StartPrediction(fleet)
    // While most of the fleet is lost, who asks says little, and nothing is stopped.
    if (fleet.isFrozen) return
    const nowMs = fleet.clock.nowMs()
    const demands = new Map(this.#options.demand().map((demand) => [demand.model, demand]))
    for (const name of this.#memories.keys()) {
      if (!Object.hasOwn(fleet.state.deployments, name)) this.#memories.delete(name)
    }
    const readySlots = this.#readySlots()
    const deployments = wantedDeployments(fleet.state)
    const sharing = new Map<string, number>()
    for (const { model } of deployments) sharing.set(model, (sharing.get(model) ?? 0) + 1)
    for (const deployment of deployments) {
      const { name, model, replicas, sleepAfterMs } = deployment
      const ready = readySlots.get(name) ?? []
      const share = 1 / (sharing.get(model) ?? 1)
      const demand = demands.get(model)
      const outcome = nextScale(
        {
          ...replicas,
          sleepAfterMs,
          wanted: wantedReplicasOf(fleet.state, deployment),
          ready: ready.length,
          slots: ready[0] ?? deployment.slots ?? 1,
          inFlight: Math.ceil((demand?.inFlight ?? 0) * share),
          waiting: Math.ceil((demand?.waiting ?? 0) * share),
          oldestWaitMs: demand?.oldestWaitMs ?? 0,
          expectedWaitMs: demand?.expectedWaitMs ?? null,
          startMs: () => this.#usualStartMs(deployment),
          idleMs: Math.min(
            demand?.idleMs ?? Number.POSITIVE_INFINITY,
            nowMs - Math.max(this.#startedAtMs, fleet.state.scales[name]?.sinceMs ?? 0),
          ),
        },
        this.#memories.get(name) ?? nothingSeen,
        nowMs,
      )
      this.#memories.set(name, outcome.memory)
      if (outcome.change !== null) {
        this.#scale(deployment, outcome.change.wanted, outcome.change.because)
      }
    }
  }

  #scale({ name }: WantedDeployment, wanted: number, because: string): void {
    const { fleet } = this.#options
    fleet.append({ type: 'replicas-scaled', deployment: name, wanted, because })
    const count = wanted === 1 ? '1 replica' : `${wanted} replicas`
    fleet.log(`${name} is to have ${count}: ${because}`)
    fleet.changed(`${name} is to have ${count}: ${because}`)
  }

  #serving(model: string): WantedDeployment[] {
    return wantedDeployments(this.#options.fleet.state).filter((one) => one.model === model)
  }

  /** Slots of each replica that answers, by deployment. */
  #readySlots(): Map<string, number[]> {
    const { fleet } = this.#options
    const slots = new Map<string, number[]>()
    for (const { spec, node, placed } of Object.values(fleet.state.replicas)) {
      if (placed == null) continue
      const reported = fleet.live.get(node)?.replicas.find(({ id }) => id === spec.id)
      if (reported?.state !== 'ready') continue
      const known = slots.get(placed.deployment)
      if (known === undefined) slots.set(placed.deployment, [placed.slots])
      else known.push(placed.slots)
    }
    return slots
  }

  #unplacedBecause(deployment: string): string | null {
    const unplaced = this.#options.lastPlan()?.unplaced.find((one) => one.deployment === deployment)
    if (unplaced === undefined) return null
    return unplaced.because[0]?.what ?? unplaced.waitsFor[0] ?? 'nothing has room for it'
  }

  /** A plan that cannot be written down is not carried out. */
  #heldUp(deployment: string): string | null {
    const { state, unwritten } = this.#options.fleet
    const isPlaced = Object.values(state.replicas).some(
      ({ placed }) => placed?.deployment === deployment,
    )
    return isPlaced ? null : unwritten
  }

  /** Of the replica that comes first; by what was measured there, else by what was predicted. */
  #remainingMs({ name }: WantedDeployment): number | null {
    const { fleet, lastPlan } = this.#options
    const nowMs = fleet.clock.nowMs()
    const waits = (lastPlan()?.replicas ?? []).flatMap(({ id, deployment, setting, speed }) => {
      if (deployment !== name) return []
      const measured = fleet.state.starts[startKey(setting)]?.startMs
      const startMs = measured ?? speed.startMs
      if (startMs === null || startMs === undefined) return []
      const sinceMs = fleet.state.replicas[id]?.placed?.wantedAtMs ?? nowMs
      return [Math.max(0, startMs - (nowMs - sinceMs))]
    })
    return waits.length === 0 ? null : Math.min(...waits)
  }

  /**
   * Where it will be is decided when it is woken: what it took elsewhere is the best guess, and where
   * it never ran, what the weights and the disks promise.
   */
  #usualStartMs(deployment: WantedDeployment): number | null {
    const { variants } = deployment
    const sources = new Set(variants.map(({ source }) => source))
    const known = Object.values(this.#options.fleet.state.starts).filter(({ source }) =>
      sources.has(source),
    )
    return known.length === 0
      ? this.#predicted.startMs(deployment)
      : Math.max(...known.map(({ startMs }) => startMs))
  }
}
