/** The fleet as pages and commands show it: what is remembered beside what agents tell of it now. */
import { type FoundView, withAttached } from '#controller/attached-endpoints.ts'
import type {
  AskedByHand,
  AttachedEndpoint,
  MemoryMeasurement,
  NodeRecord,
  PlacedReplicaClaim,
} from '#controller/cluster-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import { hostInUrl } from '#controller/ingress-url.ts'
import type { Presence } from '#controller/presence.ts'
import type { NodeId } from '#core/ids.ts'
import type { NodeStatement } from '#placement/read-inventory.ts'
import type { FoundEngine, ReplicaSpec, ReportedReplica } from '#protocol/agent-messages.ts'
import { ownValue } from '#std/own-value.ts'

/** One node, as the controller knows it now. */
export interface NodeView extends NodeRecord {
  readonly presence: Presence
  /** Milliseconds since it was heard; null when it was not since the controller started. */
  readonly silentMs: number | null
  readonly version: string | null
  readonly address: string | null
  /** Engines there that somebody else started. */
  readonly found: readonly FoundView[]
  /** Silent for so long that what ran there is placed elsewhere. */
  readonly givenUp: boolean
  /** What people say about it; null when nobody does. */
  readonly statement: NodeStatement | null
}

export interface ReplicaView {
  readonly spec: ReplicaSpec
  readonly node: NodeId
  readonly nodeName: string
  /** Null when its agent has not told of it yet. */
  readonly reported: ReportedReplica | null
  readonly presence: Presence
  /** Milliseconds since its node was heard; null when it was not since the controller started. */
  readonly silentMs: number | null
  /** Its node runs nothing for now: the wish is kept. */
  readonly draining: boolean
  /** What it took when it was loaded last; null while nobody has measured it. */
  readonly memory: MemoryMeasurement | null
  /** What it was planned as, and why; null for one that somebody started by hand. */
  readonly placed: PlacedReplicaClaim | null
  /** Who started it by hand, and when; null for one that was planned. */
  readonly asked: AskedByHand | null
}

/** An engine of somebody else that gateways use. */
export interface AttachedView extends AttachedEndpoint {
  readonly nodeName: string
  readonly presence: Presence
  /** Null while its agent sees no engine there. */
  readonly found: FoundEngine | null
}

export function nodeViews(fleet: Fleet): NodeView[] {
  const nowMs = fleet.clock.nowMs()
  return fleet.nodes().map((node) => {
    const live = fleet.live.get(node.id)
    const attached = Object.values(fleet.state.attached).filter((one) => one.node === node.id)
    return {
      ...node,
      inventory: live?.inventory ?? node.inventory,
      presence: fleet.presenceOf(node.id),
      silentMs: silentMsOf(fleet, node.id, nowMs),
      version: live?.version ?? null,
      address: live === undefined ? null : `${hostInUrl(live.ingress.host)}:${live.ingress.port}`,
      found: withAttached(live?.found ?? [], attached),
      givenUp: fleet.isGivenUp(node.id),
      statement: statementOf(fleet, node.name),
    }
  })
}

export function replicaViews(fleet: Fleet): ReplicaView[] {
  const memoryOf = newestMemory(fleet)
  const nowMs = fleet.clock.nowMs()
  return Object.values(fleet.state.replicas).map(({ spec, node, placed, asked }) => ({
    spec,
    node,
    nodeName: fleet.nameOf(node),
    reported: fleet.live.get(node)?.replicas.find(({ id }) => id === spec.id) ?? null,
    presence: fleet.presenceOf(node),
    silentMs: silentMsOf(fleet, node, nowMs),
    draining: fleet.state.nodes[node]?.draining ?? false,
    memory: memoryOf.get(spec.id) ?? null,
    // One that was wanted before there were plans has none.
    placed: placed ?? null,
    asked: asked ?? null,
  }))
}

function silentMsOf({ live }: Fleet, node: NodeId, nowMs: number): number | null {
  const heardAtMs = live.get(node)?.heardAtMs
  return heardAtMs === undefined ? null : Math.max(0, nowMs - heardAtMs)
}

/** By replica: what it took when it was loaded last. */
function newestMemory({ state }: Fleet): Map<string, MemoryMeasurement> {
  const newest = new Map<string, MemoryMeasurement>()
  for (const one of Object.values(state.memory)) {
    const before = newest.get(one.replica)
    if (before === undefined || one.measuredAtMs > before.measuredAtMs) newest.set(one.replica, one)
  }
  return newest
}

function statementOf({ state }: Fleet, name: string): NodeStatement | null {
  return ownValue(state.statements, name)?.statement ?? null
}

export function attachedViews(fleet: Fleet): AttachedView[] {
  return Object.values(fleet.state.attached).map((endpoint) => ({
    ...endpoint,
    nodeName: fleet.nameOf(endpoint.node),
    presence: fleet.presenceOf(endpoint.node),
    found: fleet.live.get(endpoint.node)?.found.find(({ port }) => port === endpoint.port) ?? null,
  }))
}
