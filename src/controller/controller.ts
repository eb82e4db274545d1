/**
 * The controller: who belongs to the fleet, what each machine has, what should run where. It
 * remembers the first and the last of these as events; agents tell the rest whenever they connect,
 * so that neither a restart here nor one there disturbs a replica that runs.
 */
import { hearAgent, loseAgent, welcomeAgent } from '#controller/agent-news.ts'
import { AgentPort } from '#controller/agent-port.ts'
import { attachEngine, detachEngine } from '#controller/attaching.ts'
import type { ClusterState } from '#controller/cluster-state.ts'
import { EventStore } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
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
import { isMassLoss } from '#controller/presence.ts'
import { watchPresence } from '#controller/presence-watch.ts'
import {
  readReplicaLog,
  setDraining,
  unwantReplica,
  wantedReplica,
  wantReplica,
} from '#controller/replica-wishes.ts'
import type { LogPage, ReplicaSpec } from '#protocol/agent-messages.ts'
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
}

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
  #endPresenceWatch: () => void = () => {}

  constructor(options: ControllerOptions, store: EventStore) {
    const { clock, log } = options
    this.#options = options
    this.#store = store
    this.#fleet = new Fleet({ store, clock, log })
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
    this.#endPresenceWatch = watchPresence(this.#fleet)
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

  /** Whether so much was lost at once that nothing is deleted. */
  get isFrozen(): boolean {
    return isMassLoss(this.#fleet.presences())
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

  startReplica(nodeName: string, spec: Omit<ReplicaSpec, 'id'>): ReplicaSpec {
    return wantReplica(this.#fleet, nodeName, spec)
  }

  /** Returns its whole id. */
  stopReplica(id: string): string {
    return unwantReplica(this.#fleet, id)
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
    this.#endPresenceWatch()
    this.#fleet.onEndpointsChanged(() => {})
    await this.#agents.close()
    this.#store.close()
  }
}
