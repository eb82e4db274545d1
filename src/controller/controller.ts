/**
 * The controller: who belongs to the fleet, what each machine has, what should run where. It
 * remembers the first and the last of these as events; agents tell the rest whenever they connect,
 * so that neither a restart here nor one there disturbs a replica that runs.
 */
import { hearAgent, loseAgent, welcomeAgent } from '#controller/agent-news.ts'
import { AgentPort } from '#controller/agent-port.ts'
import { attachEngine, detachEngine } from '#controller/attaching.ts'
import type { ClusterState } from '#controller/cluster-state.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import {
  type AppliedChange,
  applyWishes,
  retryStarts,
  setConfigured,
  type Wishes,
} from '#controller/deploying.ts'
import { EventStore } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
import { pictureOf } from '#controller/fleet-picture.ts'
import {
  type AttachedView,
  attachedViews,
  type NodeView,
  nodeViews,
  type ReplicaView,
  replicaViews,
} from '#controller/fleet-views.ts'
import {
  type AttachedAddress,
  attachedAddresses,
  type ReplicaEndpoint,
  replicaEndpoints,
} from '#controller/gateway-endpoints.ts'
import { Benchmarks, type MeasuredSpeed } from '#controller/measuring.ts'
import { createSecret, revokeNode } from '#controller/node-joining.ts'
import { watchPeers } from '#controller/peer-news.ts'
import { watchPresence } from '#controller/presence-watch.ts'
import type { KeptPlan } from '#controller/reconcile/kept-plan.ts'
import { type PlacementPage, placementPage } from '#controller/reconcile/placement-page.ts'
import type { PlanSettings } from '#controller/reconcile/plan-input.ts'
import { type PlanMaker, Reconciler } from '#controller/reconcile/reconciler.ts'
import { Scaler } from '#controller/reconcile/scaler.ts'
import {
  readReplicaLog,
  setDraining,
  unwantReplica,
  wantedReplica,
  wantReplica,
} from '#controller/replica-wishes.ts'
import type { LogPage, ReplicaSpec } from '#protocol/agent-messages.ts'
import type { InspectedWeights } from '#protocol/inspected-weights.ts'
import type { ModelDemand, SleepingModel } from '#protocol/model-demand.ts'
import type { Clock } from '#std/clock.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface ControllerOptions {
  /** Where the event log lies. */
  readonly directory: string
  readonly certificate: Certificate
  /** For agents; port 0 takes any. */
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly log: (line: string) => void
  /** Left out: nothing is planned, and replicas are started by hand alone. */
  readonly planning?: Planning
}

/** How deployments are turned into replicas. */
export interface Planning {
  readonly makePlan: PlanMaker
  /** As it is now: a reload may change it. */
  readonly settings: () => PlanSettings
  /** How long a node is silent before what ran there is placed elsewhere. */
  readonly replaceAfterMs: () => number
  /** What gateways tell of who asks for which model. */
  readonly demand: () => readonly ModelDemand[]
}

/** As long as the configuration has it where it says nothing. */
const replaceAfterMsUsual = 120_000

/** Rejects with the system's error when the address cannot be had, and as `EventStore` throws. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const store = new EventStore(options.directory)
  const controller = new Controller(options, store)
  try {
    await controller.listen()
  } catch (error) {
    store.close()
    throw error
  }
  return controller
}

/** Everything that is asked of it throws, or rejects with, `ControllerRefusal` or `StoreError`. */
export class Controller {
  readonly #options: ControllerOptions
  readonly #store: EventStore
  readonly #fleet: Fleet
  readonly #benchmarks: Benchmarks
  readonly #agents: AgentPort
  #reconciler: Reconciler | null = null
  #scaler: Scaler | null = null
  readonly #watches: (() => void)[] = []

  constructor(options: ControllerOptions, store: EventStore) {
    const { clock, log } = options
    this.#options = options
    this.#store = store
    const replaceAfterMs = options.planning?.replaceAfterMs ?? (() => replaceAfterMsUsual)
    this.#fleet = new Fleet({ store, clock, log, replaceAfterMs })
    this.#benchmarks = new Benchmarks(this.#fleet)
    this.#agents = new AgentPort({
      ...options,
      onHello: (hello, session) => welcomeAgent(this.#fleet, hello, session),
      onMessage: (message, session) => hearAgent(this.#fleet, message, session),
      onClose: (session) => loseAgent(this.#fleet, session),
      onFault: (error) => log(`controller: ${(error as Error).message}`),
    })
  }

  async listen(): Promise<void> {
    await this.#agents.listen()
    this.#startPlanning()
    this.#watches.push(watchPresence(this.#fleet), watchPeers(this.#fleet))
  }

  #startPlanning(): void {
    const { planning } = this.#options
    if (planning === undefined) return
    const fleet = this.#fleet
    const reconciler = new Reconciler({
      fleet,
      makePlan: planning.makePlan,
      settings: planning.settings,
      keepPlan: (plan) => this.#store.keepPlan(plan),
    })
    this.#reconciler = reconciler
    this.#scaler = new Scaler({
      fleet,
      demand: planning.demand,
      lastPlan: () => reconciler.lastPlan,
    })
    fleet.onChanged((because) => reconciler.note(because))
    fleet.onReplicasReported((node, replicas) => reconciler.noteReplicas(node, replicas))
    reconciler.note('the controller has started')
  }

  get port(): number {
    return this.#agents.port
  }

  get host(): string {
    return this.#options.host
  }

  get certificate(): Certificate {
    return this.#options.certificate
  }

  get state(): ClusterState {
    return this.#fleet.state
  }

  /** Called when replicas that gateways should know may have come, gone or moved, and once now. */
  onEndpointsChanged(listener: () => void): void {
    this.#fleet.onEndpointsChanged(listener)
    listener()
  }

  /** A token that lets one machine in, until it expires. */
  createToken(validMs: number): { readonly token: string; readonly expiresAtMs: number } {
    const { secret, expiresAtMs } = createSecret(this.#fleet, validMs)
    return { token: `${secret}.${this.#options.certificate.fingerprint}`, expiresAtMs }
  }

  nodes(): NodeView[] {
    return nodeViews(this.#fleet)
  }

  /** All of the fleet on one page: see `pictureOf`. */
  picture(): ReturnType<typeof pictureOf> {
    return pictureOf(this.#fleet)
  }

  /** Whether so much was lost at once that nothing is deleted. */
  get isFrozen(): boolean {
    return this.#fleet.isFrozen
  }

  /** What the configuration of this controller says should run. */
  configure(wishes: Wishes): void {
    setConfigured(this.#fleet, wishes)
  }

  /** What `motley apply` says should run; `revision` of the page that its plan was made with. */
  apply(wishes: Wishes, revision: number | null = null): AppliedChange {
    return applyWishes(this.#fleet, wishes, revision)
  }

  /** Failed starts of a deployment are tried again now; returns the names of their nodes. */
  retry(deployment: string): { readonly nodes: readonly string[] } {
    return retryStarts(this.#fleet, deployment)
  }

  /** Everything that a plan follows from: whoever plans with it plans as this controller does. */
  placement(): PlacementPage {
    const { planning } = this.#options
    return placementPage(this.#fleet, planning?.settings().reserve ?? 'none', {
      outlook: this.#reconciler?.outlook() ?? null,
      failureToRead: (source) => this.#reconciler?.failureToRead(source) ?? null,
    })
  }

  /** What weights hold, for whoever plans with them. Rejects where no node can read them. */
  async readWeights(source: string): Promise<InspectedWeights> {
    if (this.#reconciler !== null) return await this.#reconciler.readWeights(source)
    throw new ControllerRefusal('nothing is planned here')
  }

  /**
   * Has a node read what the weights of a wish say, where the wish is judged by it. What nobody can
   * read, nothing is known of.
   */
  async learnOf({ source, contextTokens }: Omit<ReplicaSpec, 'id'>): Promise<void> {
    if (contextTokens === null) return
    try {
      await this.readWeights(source)
    } catch (error) {
      if (!(error instanceof ControllerRefusal)) throw error
    }
  }

  /** Plans that were made, the newest first. */
  plans(): KeptPlan[] {
    return this.#store.plans()
  }

  /** A model of a deployment that has no ready replica; null where no deployment serves it. */
  sleeping(model: string): SleepingModel | null {
    return this.#scaler?.sleeping(model) ?? null
  }

  /** Models that deployments serve, whether or not they sleep. */
  deployedModels(): string[] {
    return this.#scaler?.models() ?? []
  }

  /** Somebody asks for the model. Throws `StoreError` where that cannot be written down. */
  wake(model: string): void {
    this.#scaler?.wake(model)
  }

  /** Its replicas finish what they do and end; their wishes are kept for when it no longer drains. */
  setDraining(nodeName: string, draining: boolean): void {
    setDraining(this.#fleet, nodeName, draining)
  }

  /** The node is out at once, and may come back with a new token only. */
  revoke(nodeName: string): void {
    revokeNode(this.#fleet, nodeName)
  }

  replicas(): ReplicaView[] {
    return replicaViews(this.#fleet)
  }

  replica(id: string): ReplicaView {
    const { spec } = wantedReplica(this.#fleet, id)
    return this.replicas().find((one) => one.spec.id === spec.id) as ReplicaView
  }

  /** `askedWith`: the name of the key, null where none was needed. */
  startReplica(
    nodeName: string,
    spec: Omit<ReplicaSpec, 'id'>,
    askedWith: string | null = null,
  ): ReplicaSpec {
    return wantReplica(this.#fleet, nodeName, spec, askedWith)
  }

  /** Returns its whole id, and the deployment that will want another one; null where none does. */
  stopReplica(id: string): { readonly replica: string; readonly deployment: string | null } {
    const { placed } = wantedReplica(this.#fleet, id)
    const replica = unwantReplica(this.#fleet, id)
    this.#fleet.changed(`${replica} was stopped by hand`)
    const deployment = placed?.deployment ?? null
    const isWanted = deployment !== null && Object.hasOwn(this.state.deployments, deployment)
    return { replica, deployment: isWanted ? deployment : null }
  }

  /** A page of what its engine wrote, after an offset; null for the newest. */
  logs(id: string, after: number | null): Promise<LogPage> {
    return readReplicaLog(this.#fleet, id, after)
  }

  /** Measures a replica and keeps the result; takes a minute or two. */
  benchmark(id: string): Promise<MeasuredSpeed> {
    return this.#benchmarks.run(id)
  }

  /** Replicas as gateways reach them; those that take nothing new, too. */
  endpoints(): ReplicaEndpoint[] {
    return replicaEndpoints(this.#fleet)
  }

  attached(): AttachedView[] {
    return attachedViews(this.#fleet)
  }

  attachedAddresses(): AttachedAddress[] {
    return attachedAddresses(this.#fleet)
  }

  /** `what` is the engine, or its port; `name` null takes one from both. */
  attach(nodeName: string, what: string, name: string | null): Promise<AttachedView> {
    return attachEngine(this.#fleet, nodeName, what, name)
  }

  /** The engine goes on; gateways no longer use it. */
  detach(id: string): void {
    detachEngine(this.#fleet, id)
  }

  async close(): Promise<void> {
    for (const end of this.#watches) end()
    this.#scaler?.close()
    this.#fleet.close()
    await Promise.all([this.#reconciler?.close(), this.#agents.close()])
    this.#store.close()
  }
}
