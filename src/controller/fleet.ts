/**
 * What all parts of the controller look at and change: what is remembered of the fleet, and what
 * agents have told since they connected. Whatever reads one of both by the name that people use
 * finds it here, or the sentence that says what there is instead.
 */
import type { AgentSession } from '#controller/agent-session.ts'
import type { ClusterEvent, ClusterState, NodeRecord } from '#controller/cluster-state.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import { type EventStore, StoreError } from '#controller/event-store.ts'
import { isMassLoss, type Presence, presenceOf } from '#controller/presence.ts'
import type { NodeId } from '#core/ids.ts'
import type { FoundEngine, ReportedInventory, ReportedReplica } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'

/** What an agent has told since the controller started. */
export interface LiveNode {
  /** Null while it is not connected. */
  session: AgentSession | null
  heardAtMs: number
  version: string
  /** Of the run of the agent that is connected, or was last. */
  instance: string
  /** As it was last told, what passes included; null when it was not since it connected. */
  inventory: ReportedInventory | null
  ingress: { readonly host: string; readonly port: number }
  replicas: readonly ReportedReplica[]
  found: readonly FoundEngine[]
  /** A digest of the fleet as its agent knows it; null for a new connection. */
  toldPeers: string | null
}

export interface FleetOptions {
  readonly store: EventStore
  readonly clock: Clock
  readonly log: (line: string) => void
  /** How long a node is silent before what ran there is placed elsewhere. */
  readonly replaceAfterMs: () => number
}

/** The nodes of one state. */
interface Members {
  readonly of: ClusterState['nodes']
  readonly list: readonly NodeRecord[]
  readonly byFingerprint: ReadonlyMap<string, NodeRecord>
}

/**
 * All that gateways know is put together anew each time, which takes a millisecond for 200 replicas,
 * and 200 agents that come back tell 400 things. A request takes longer than this.
 */
const gatherEndpointsMs = 50

type ReplicasListener = (node: NodeId, replicas: readonly ReportedReplica[]) => void

export class Fleet {
  readonly clock: Clock
  readonly log: (line: string) => void
  /** Nodes that were heard since the controller started. */
  readonly live = new Map<NodeId, LiveNode>()
  readonly #store: EventStore
  readonly #startedAtMs: number
  readonly #replaceAfterMs: () => number
  #endpointsChanged: () => void = () => {}
  #endpointsToldAtMs = Number.NEGATIVE_INFINITY
  #cancelEndpoints: (() => void) | null = null
  #members: Members | null = null
  #peersChanged: () => { readonly isGathering: boolean } = () => ({ isGathering: false })
  #changed: (because: string) => void = () => {}
  #replicasReported: ReplicasListener = () => {}
  #unwritten: string | null = null
  #toldUnwritten: string | null = null

  constructor({ store, clock, log, replaceAfterMs }: FleetOptions) {
    this.clock = clock
    this.log = log
    this.#replaceAfterMs = replaceAfterMs
    this.#store = store
    this.#startedAtMs = clock.nowMs()
  }

  get state(): ClusterState {
    return this.#store.state
  }

  /** Throws `StoreError`, and then nothing has changed. */
  append(...events: readonly ClusterEvent[]): void {
    try {
      this.#store.append(this.clock.nowMs(), ...events)
    } catch (error) {
      if (error instanceof StoreError) this.#unwritten = error.message
      throw error
    }
    this.#unwritten = null
    this.#toldUnwritten = null
  }

  /** Why nothing can be written down, by the last that was tried; null while it can. */
  get unwritten(): string | null {
    return this.#unwritten
  }

  /** For what agents tell again. */
  note(...events: readonly ClusterEvent[]): void {
    this.attempt(() => this.append(...events))
  }

  /**
   * For work that is taken up again by itself: where it cannot be written down it is left for the
   * next time, and a person hears of that once.
   */
  attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.tellUnwritten(error)
    }
  }

  /** Once for as long as it is the same. */
  tellUnwritten({ message }: StoreError): void {
    if (message !== this.#toldUnwritten) this.log(`controller: ${message}`)
    this.#toldUnwritten = message
  }

  /** One listener: the newest. */
  onEndpointsChanged(listener: () => void): void {
    this.#endpointsChanged = listener
  }

  /** Whatever gateways should know may have come, gone or moved: they hear of it before this returns. */
  endpointsChanged(): void {
    this.#cancelEndpoints?.()
    this.#cancelEndpoints = null
    this.#endpointsToldAtMs = this.clock.nowMs()
    this.#endpointsChanged()
  }

  /** The same for what agents tell: at once, and where they all tell something, once for many. */
  endpointsReported(): void {
    const waitMs = this.#endpointsToldAtMs + gatherEndpointsMs - this.clock.nowMs()
    if (waitMs <= 0) this.endpointsChanged()
    else this.#cancelEndpoints ??= this.clock.schedule(waitMs, () => this.endpointsChanged())
  }

  /** Gateways hear nothing more. */
  close(): void {
    this.#endpointsChanged = () => {}
    this.#cancelEndpoints?.()
  }

  /** One listener: the newest. */
  onPeersChanged(listener: () => { readonly isGathering: boolean }): void {
    this.#peersChanged = listener
  }

  /** Nodes may have come, gone or moved. Returns whether others had before, and all are told soon. */
  peersChanged(): { readonly isGathering: boolean } {
    return this.#peersChanged()
  }

  /** One listener: the newest. */
  onChanged(listener: (because: string) => void): void {
    this.#changed = listener
  }

  /** Something that plans depend on is not as it was. */
  changed(because: string): void {
    this.#changed(because)
  }

  /** One listener: the newest. */
  onReplicasReported(listener: ReplicasListener): void {
    this.#replicasReported = listener
  }

  replicasReported(node: NodeId, replicas: readonly ReportedReplica[]): void {
    this.#replicasReported(node, replicas)
  }

  /** The nodes that belong to it now. */
  nodes(): readonly NodeRecord[] {
    return this.#membersNow().list
  }

  /** Found again for each message of each agent; states are replaced and never changed. */
  #membersNow(): Members {
    const { nodes } = this.state
    if (this.#members?.of === nodes) return this.#members
    const list = Object.values(nodes).filter(({ revoked }) => !revoked)
    const byFingerprint = new Map(list.map((node) => [node.fingerprint, node]))
    this.#members = { of: nodes, list, byFingerprint }
    return this.#members
  }

  /** What people call a node. */
  nameOf(node: NodeId): string {
    return this.state.nodes[node]?.name ?? node
  }

  presenceOf(node: NodeId): Presence {
    const heardAtMs = this.live.get(node)?.heardAtMs ?? null
    return presenceOf(heardAtMs, this.#startedAtMs, this.clock.nowMs())
  }

  /** Silent for so long that what ran there is placed elsewhere; never while most are lost. */
  isGivenUp(node: NodeId): boolean {
    const silentMs = this.clock.nowMs() - (this.live.get(node)?.heardAtMs ?? this.#startedAtMs)
    return silentMs >= this.#replaceAfterMs() && this.presenceOf(node) !== 'ready' && !this.isFrozen
  }

  /** Whether so much was lost at once that nothing is stopped or moved. */
  get isFrozen(): boolean {
    return isMassLoss(this.presences())
  }

  presences(): Presence[] {
    return this.nodes().map(({ id }) => this.presenceOf(id))
  }

  /** By its name or its id. Throws `ControllerRefusal`. */
  nodeNamed(name: string): NodeRecord {
    const nodes = this.nodes()
    const found = nodes.find((node) => node.name === name || node.id === name)
    if (found !== undefined) return found
    const there = nodes.map((node) => node.name).join(', ')
    throw new ControllerRefusal(
      nodes.length === 0
        ? `there is no node "${name}": no machine has joined yet`
        : `there is no node "${name}"; there is ${there}`,
    )
  }

  /** Throws `ControllerRefusal` while its agent is not connected. */
  sessionOf(node: NodeId): AgentSession {
    const session = this.live.get(node)?.session ?? null
    if (session !== null) return session
    throw new ControllerRefusal(`the agent of ${this.nameOf(node)} is not connected`)
  }

  /** Null for a session that another has taken the place of, and for one of a node that is out. */
  liveOf(session: AgentSession): { readonly node: NodeRecord; readonly live: LiveNode } | null {
    const node = this.#membersNow().byFingerprint.get(session.fingerprint)
    const live = node === undefined ? undefined : this.live.get(node.id)
    return node === undefined || live?.session !== session ? null : { node, live }
  }
}
