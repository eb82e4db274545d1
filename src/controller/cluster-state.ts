/**
 * Everything a controller must not forget, as a pure function of the events that made it so. What
 * changes every few seconds, as heartbeats and the states of replicas, is not here: agents tell it
 * again whenever they connect.
 */
import {
  applyDeploymentEvent,
  type DeploymentEvent,
  type DeploymentState,
  noDeployments,
} from '#controller/deployment-state.ts'
import type { NodeId } from '#core/ids.ts'
import type { PlacedClaim } from '#placement/read-inventory.ts'
import type {
  MeasuredMemory,
  ReplicaSpec,
  ReplicaSpeed,
  ReportedInventory,
} from '#protocol/agent-messages.ts'

export type ClusterEvent =
  | { readonly type: 'token-created'; readonly digest: string; readonly expiresAtMs: number }
  | {
      readonly type: 'node-joined'
      readonly node: NodeId
      readonly name: string
      /** Of the certificate that the node proves to own. */
      readonly fingerprint: string
      /** Of the token that it joined with, which is used up by that. */
      readonly tokenDigest: string
    }
  | { readonly type: 'node-revoked'; readonly node: NodeId }
  | { readonly type: 'node-draining'; readonly node: NodeId; readonly draining: boolean }
  | {
      readonly type: 'inventory-changed'
      readonly node: NodeId
      readonly inventory: ReportedInventory
    }
  | {
      readonly type: 'replica-wanted'
      readonly node: NodeId
      readonly spec: ReplicaSpec
      /** As it was planned; left out where somebody started it by hand. */
      readonly placed?: PlacedReplicaClaim | null
      /** With which key somebody asked for it by hand; null where no key was needed. */
      readonly askedWith?: string | null
    }
  | { readonly type: 'replica-unwanted'; readonly replica: string }
  | { readonly type: 'endpoint-attached'; readonly endpoint: AttachedEndpoint }
  | { readonly type: 'endpoint-detached'; readonly endpoint: string }
  | { readonly type: 'speed-measured'; readonly measurement: SpeedMeasurement }
  | { readonly type: 'memory-measured'; readonly measurement: MemoryMeasurement }
  | DeploymentEvent

/** An engine that somebody else runs on a node, and that gateways use. */
export interface AttachedEndpoint {
  /** What the endpoint is called. */
  readonly id: string
  readonly node: NodeId
  /** On the node's loopback. */
  readonly port: number
  /** What it was when it was attached. */
  readonly engine: string
}

/** What `motley benchmark` found; the newest of each (node, engine, build, model, quantization). */
export interface SpeedMeasurement extends Readonly<ReplicaSpeed> {
  readonly node: NodeId
  readonly model: string
  readonly measuredAtMs: number
}

/**
 * What a replica took when it was loaded; the newest of each (node, engine, build, backend, model,
 * quantization, context, slots). It corrects what is estimated for the next one of the same kind.
 */
export interface MemoryMeasurement extends MeasuredMemory {
  readonly node: NodeId
  readonly replica: string
  readonly engine: string
  readonly backend: string | null
  readonly model: string
  readonly measuredAtMs: number
  /** What had been reckoned for each device, by its id; left out where nothing was. */
  readonly estimatedBytes?: Readonly<Record<string, number>>
}

export interface NodeRecord {
  readonly id: NodeId
  readonly name: string
  readonly fingerprint: string
  readonly joinedAtMs: number
  readonly revoked: boolean
  readonly draining: boolean
  /** As it was last written down; what changes by the second in it is old. */
  readonly inventory: ReportedInventory | null
}

export interface TokenRecord {
  readonly digest: string
  readonly expiresAtMs: number
  readonly usedBy: NodeId | null
}

/** What a replica was planned as, by which plan and why. */
export interface PlacedReplicaClaim extends PlacedClaim {
  readonly plan: string
  readonly because: string
  readonly wantedAtMs: number
}

/** Who started a replica by hand. */
export interface AskedByHand {
  /** The name of the key; null where none was needed, or where an earlier version did not say. */
  readonly key: string | null
  readonly atMs: number
}

export interface WantedReplica {
  readonly spec: ReplicaSpec
  readonly node: NodeId
  /** Null for one that somebody started by hand: no plan touches it. */
  readonly placed: PlacedReplicaClaim | null
  /** Null for one that was planned; left out by snapshots of earlier versions. */
  readonly asked?: AskedByHand | null
}

export interface ClusterState extends DeploymentState {
  readonly tokens: Readonly<Record<string, TokenRecord>>
  readonly nodes: Readonly<Record<string, NodeRecord>>
  readonly replicas: Readonly<Record<string, WantedReplica>>
  readonly attached: Readonly<Record<string, AttachedEndpoint>>
  readonly measurements: Readonly<Record<string, SpeedMeasurement>>
  readonly memory: Readonly<Record<string, MemoryMeasurement>>
}

/** So long a token is said to have expired or to be used; after that nobody knows it. */
const rememberExpiredMs = 7 * 24 * 3_600_000

export const emptyCluster: ClusterState = {
  ...noDeployments,
  tokens: {},
  nodes: {},
  replicas: {},
  attached: {},
  measurements: {},
  memory: {},
}

export function applyEvent(state: ClusterState, event: ClusterEvent, atMs: number): ClusterState {
  switch (event.type) {
    case 'token-created': {
      const recent = Object.entries(state.tokens).filter(
        ([, token]) => token.expiresAtMs + rememberExpiredMs > atMs,
      )
      const { digest, expiresAtMs } = event
      const token = { digest, expiresAtMs, usedBy: null }
      return { ...state, tokens: { ...Object.fromEntries(recent), [digest]: token } }
    }
    case 'node-joined': {
      const { node, name, fingerprint, tokenDigest } = event
      const token = state.tokens[tokenDigest]
      return {
        ...state,
        tokens:
          token === undefined
            ? state.tokens
            : { ...state.tokens, [tokenDigest]: { ...token, usedBy: node } },
        nodes: {
          ...state.nodes,
          [node]: {
            id: node,
            name,
            fingerprint,
            joinedAtMs: atMs,
            revoked: false,
            draining: false,
            inventory: null,
          },
        },
      }
    }
    case 'node-revoked': {
      // Where it comes back it is another node: nobody asks for what was known of this one.
      const elsewhere = <Kept extends { readonly node: string }>(
        all: Readonly<Record<string, Kept>>,
      ) => Object.fromEntries(Object.entries(all).filter(([, { node }]) => node !== event.node))
      const without = {
        ...state,
        replicas: elsewhere(state.replicas),
        attached: elsewhere(state.attached),
        measurements: elsewhere(state.measurements),
        memory: elsewhere(state.memory),
        starts: elsewhere(state.starts),
      }
      return changeNode(without, event.node, { revoked: true })
    }
    case 'node-draining':
      return changeNode(state, event.node, { draining: event.draining })
    case 'inventory-changed':
      return changeNode(state, event.node, { inventory: event.inventory })
    case 'replica-wanted': {
      const { node, spec, placed = null, askedWith = null } = event
      const asked = placed === null ? { key: askedWith, atMs } : null
      return { ...state, replicas: { ...state.replicas, [spec.id]: { spec, node, placed, asked } } }
    }
    case 'replica-unwanted': {
      const { [event.replica]: _gone, ...replicas } = state.replicas
      return { ...state, replicas }
    }
    case 'endpoint-attached': {
      const { endpoint } = event
      return { ...state, attached: { ...state.attached, [endpoint.id]: endpoint } }
    }
    case 'endpoint-detached': {
      const { [event.endpoint]: _gone, ...attached } = state.attached
      return { ...state, attached }
    }
    case 'speed-measured': {
      const { measurement } = event
      const key = measurementKey(measurement)
      return { ...state, measurements: { ...state.measurements, [key]: measurement } }
    }
    case 'memory-measured': {
      const { measurement } = event
      const key = memoryKey(measurement)
      return { ...state, memory: { ...state.memory, [key]: measurement } }
    }
    case 'deployments-set':
    case 'weights-inspected':
    case 'plan-adopted':
    case 'start-failed':
    case 'starts-forgiven':
    case 'start-measured':
    case 'replicas-scaled':
      return applyDeploymentEvent(state, event, atMs)
  }
}

/** What a measurement is kept under: another build or quantization is another measurement. */
export function measurementKey(
  of: Pick<SpeedMeasurement, 'node' | 'engine' | 'engineVersion' | 'model' | 'quantization'>,
): string {
  return JSON.stringify([of.node, of.engine, of.engineVersion, of.model, of.quantization])
}

/** As {@link measurementKey}, with all that decides how much memory is taken. */
export function memoryKey(
  of: Omit<MemoryMeasurement, 'measuredAtMs' | 'devices' | 'estimatedBytes'>,
): string {
  const { backend, contextTokens, slots } = of
  return JSON.stringify([measurementKey(of), backend, contextTokens, slots])
}

function changeNode(state: ClusterState, id: NodeId, change: Partial<NodeRecord>): ClusterState {
  const node = state.nodes[id]
  if (node === undefined) return state
  return { ...state, nodes: { ...state.nodes, [id]: { ...node, ...change } } }
}
