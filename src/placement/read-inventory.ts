/**
 * What a controller knows of its fleet, as placement looks at it. The controller plans with it, and
 * so does whoever has nothing but the file that `motley nodes --json` printed: both plan alike.
 */
import { z } from 'zod'
import { taintEffects } from '#core/deployment.ts'
import { type Device, device } from '#core/device.ts'
import { deviceIds } from '#core/device-ids.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { kvCacheTypes, offload } from '#core/engine-memory.ts'
import {
  computingDevices,
  foreignBytes,
  type ReplicaHold,
  takenByDevice,
} from '#placement/held-memory.ts'
import type {
  Inventory,
  ManualStart,
  MeasuredSpeed,
  MemoryCorrection,
  PlacedReplica,
  PlacementNode,
} from '#placement/inventory.ts'

const bytes = z.number().min(0)
const rate = bytes.nullable().catch(null)

const writtenTaint = z.object({
  key: z.string(),
  value: z.string().nullable(),
  effect: z.enum(taintEffects),
})

/** What people say about a node. */
export const nodeStatement = z.object({
  taints: z.array(writtenTaint).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  devices: z
    .record(
      z.string(),
      z.object({ use: z.boolean().optional(), memory: z.number().positive().optional() }),
    )
    .default({}),
})
export type NodeStatement = z.output<typeof nodeStatement>

const installed = z.object({
  engine: z.enum(engineIds),
  version: z.string().nullable(),
  backends: z.array(z.enum(backends)),
  assumed: z.boolean().optional().catch(undefined),
  kinds: z.array(z.enum(['native', 'container'])),
})

const containerSoftware = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('there'), runtimes: z.array(z.string()).nullable() }),
])

/** An agent of another version may tell less; what it does not tell is not known. */
const nodeInventory = z.object({
  os: z.string().catch('linux'),
  osVersion: z.string().nullable().catch(null),
  containers: containerSoftware.nullable().catch(null),
  devices: z.array(z.unknown()),
  engines: z.array(z.unknown()).nullable().catch(null),
  weights: z.array(z.string()).catch([]),
  freeDiskBytes: rate,
  diskBytesPerSecond: rate,
  networkBytesPerSecond: rate,
  machine: z.string().optional().catch(undefined),
  isRecording: z.boolean().catch(false),
})

const writtenNode = z.object({
  id: z.string(),
  name: z.string(),
  presence: z.enum(['ready', 'suspect', 'lost']),
  /** Silent for so long that what ran there is placed elsewhere. */
  givenUp: z.boolean().default(false),
  draining: z.boolean(),
  inventory: nodeInventory.nullable(),
  statement: nodeStatement.nullable().default(null),
})

const byDevice = z.record(z.string(), bytes)

/** What a replica was planned as; null for one that somebody started by hand. */
export const placedClaim = z.object({
  deployment: z.string(),
  devices: z.array(z.string()),
  engine: z.enum(engineIds),
  backend: z.enum(backends),
  kind: z.enum(['native', 'container']),
  contextTokens: z.number(),
  slots: z.number(),
  memoryFraction: z.number().nullable(),
  /** Left out: what its engine has by itself. */
  kvCacheType: z.enum(kvCacheTypes).optional(),
  /** Left out: everything is on its devices. */
  offload: offload.optional(),
  tensorParallel: z.number(),
  claimedBytes: byDevice,
  /** The same as it was reckoned without what had been measured before. */
  estimatedBytes: byDevice.default({}),
})
export type PlacedClaim = z.output<typeof placedClaim>

const takenMemory = z.object({
  devices: z.array(
    z.object({
      vendor: z.string(),
      index: z.number().nullable(),
      takenBytes: bytes,
      mappedBytes: bytes.default(0),
    }),
  ),
})

const writtenReplica = z.object({
  spec: z.object({
    id: z.string(),
    source: z.string(),
    contextTokens: z.number().nullable(),
    slots: z.number().nullable(),
    engine: z.string().nullable().default(null),
    backend: z.string().nullable().default(null),
    kind: z.enum(['native', 'container']).catch('native'),
  }),
  node: z.string(),
  placed: placedClaim.nullable().default(null),
  reported: z
    .object({ state: z.string(), engine: z.string().nullable(), backend: z.string().nullable() })
    .nullable(),
  memory: takenMemory.nullable().default(null),
})
type WrittenReplica = z.output<typeof writtenReplica>

const writtenMemory = takenMemory.extend({
  node: z.string(),
  engine: z.enum(engineIds),
  backend: z.enum(backends).nullable().catch(null),
  model: z.string(),
  quantization: z.string().nullable(),
  contextTokens: z.number().nullable(),
  slots: z.number().nullable(),
  /** By device id; empty where nobody had reckoned it. */
  estimatedBytes: byDevice.default({}),
})

const writtenSpeed = z.object({
  node: z.string(),
  engine: z.enum(engineIds),
  model: z.string(),
  quantization: z.string().nullable(),
  promptTokensPerSecond: z.number(),
  decodeTokensPerSecond: z.number(),
})

const writtenFailure = z.object({
  deployment: z.string(),
  node: z.string(),
  devices: z.array(z.string()),
  engine: z.enum(engineIds),
  backend: z.enum(backends),
  source: z.string(),
  because: z.string(),
})

/** Whether nothing is stopped or moved stands beside it: `frozen`. */
export const fleetPicture = z.object({
  nodes: z.array(writtenNode),
  frozen: z.boolean().default(false),
  replicas: z.array(z.unknown()).default([]),
  memory: z.array(z.unknown()).default([]),
  speeds: z.array(z.unknown()).default([]),
  failures: z.array(z.unknown()).default([]),
})
export type FleetPicture = z.output<typeof fleetPicture>

/** Entries that a version of another shape wrote are passed over. */
export function readInventory(picture: FleetPicture): Inventory {
  const replicas = known(writtenReplica, picture.replicas)
  const devicesOn = new Map(picture.nodes.map((node) => [node.id, devicesOf(node)]))
  const on = (node: string): Devices => devicesOn.get(node) ?? new Map()
  return {
    nodes: picture.nodes.map((node) =>
      readNode(
        node,
        on(node.id),
        replicas.filter((replica) => replica.node === node.id),
      ),
    ),
    replicas: replicas.flatMap((replica) => readReplica(replica, on(replica.node))),
    starting: replicas.flatMap((replica) => readStart(replica, on(replica.node))),
    memory: known(writtenMemory, picture.memory).flatMap((measured) =>
      readMemory(measured, on(measured.node)),
    ),
    speeds: known(writtenSpeed, picture.speeds) satisfies MeasuredSpeed[],
    failures: known(writtenFailure, picture.failures),
  }
}

/** By their ids. */
type Devices = ReadonlyMap<string, Device>

function devicesOf({ inventory }: z.output<typeof writtenNode>): Devices {
  const there = known(device, inventory?.devices ?? [])
  const ids = deviceIds(there)
  return new Map(there.map((one, index) => [ids[index] as string, one]))
}

function readNode(
  { id, name, presence, givenUp, draining, inventory, statement }: z.output<typeof writtenNode>,
  devices: Devices,
  replicas: readonly WrittenReplica[],
): PlacementNode {
  const holds = replicas.map((replica) => holdOf(replica, devices))
  const isRecording = inventory?.isRecording ?? false
  return {
    id,
    name,
    os: osOf(inventory?.os ?? 'linux'),
    osVersion: inventory?.osVersion ?? null,
    // What was recorded of a machine says nothing of its software.
    containers: isRecording ? null : (inventory?.containers ?? null),
    presence: presence === 'ready' ? 'ready' : givenUp ? 'lost' : 'suspect',
    draining,
    labels: statement?.labels ?? {},
    taints: statement?.taints ?? [],
    devices: [...devices].map(([deviceId, found]) => ({
      id: deviceId,
      device: withStatement(found, statement?.devices[deviceId] ?? {}),
      foreignBytes: foreignBytes(deviceId, devices, holds),
    })),
    engines:
      isRecording || inventory?.engines === undefined || inventory.engines === null
        ? null
        : known(installed, inventory.engines),
    weights: inventory?.weights ?? [],
    freeDiskBytes: inventory?.freeDiskBytes ?? null,
    diskBytesPerSecond: inventory?.diskBytesPerSecond ?? null,
    networkBytesPerSecond: inventory?.networkBytesPerSecond ?? null,
    ...(isRecording ? { isRecording } : {}),
  }
}

function withStatement(found: Device, said: NodeStatement['devices'][string]): Device {
  const limits = [said.memory, found.memory.limitBytes].filter((limit) => limit != null)
  const limitBytes = limits.length === 0 ? null : Math.min(...limits)
  return {
    ...found,
    memory: { ...found.memory, limitBytes },
    ...(said.use === undefined
      ? {}
      : {
          schedulable: said.use,
          reason: said.use ? null : 'the configuration says that it is not used',
        }),
  }
}

function holdOf({ memory, placed, reported }: WrittenReplica, devices: Devices): ReplicaHold {
  return {
    claimedBytes: placed?.claimedBytes ?? {},
    taken: memory === null ? null : takenByDevice(memory.devices, devices),
    standing: standings[reported?.state ?? ''] ?? (reported === null ? 'unknown' : 'ended'),
  }
}

/** In all other states there is no process. */
const standings: Readonly<Record<string, ReplicaHold['standing']>> = {
  starting: 'loading',
  loading: 'loading',
  ready: 'ready',
  stopping: 'ready',
}

function bytesOf(taken: ReplicaHold['taken']): Record<string, number> | null {
  if (taken === null) return null
  return Object.fromEntries(Object.entries(taken).map(([id, { takenBytes }]) => [id, takenBytes]))
}

/** One that was started by hand has its place once its agent has told where. */
function readReplica(replica: WrittenReplica, known: Devices): PlacedReplica[] {
  const { spec, node, placed, reported } = replica
  const measured = bytesOf(holdOf(replica, known).taken)
  const ready = reported?.state === 'ready'
  const shared = { id: spec.id, node, source: spec.source, ready, measuredBytes: measured }
  if (placed !== null) {
    const { deployment, devices, engine, backend, memoryFraction, claimedBytes } = placed
    const { contextTokens, slots } = placed
    const setting = {
      ...{ deployment, devices, engine, backend, memoryFraction, claimedBytes },
      ...(placed.kvCacheType === undefined ? {} : { kvCacheType: placed.kvCacheType }),
      ...(placed.offload === undefined ? {} : { offload: placed.offload }),
    }
    return [{ ...shared, ...setting, contextTokens, slots }]
  }
  const engine = z.enum(engineIds).safeParse(reported?.engine)
  const backend = z.enum(backends).safeParse(reported?.backend)
  if (!engine.success || !backend.success) return []
  return [
    {
      ...shared,
      deployment: null,
      devices: computingDevices(Object.keys(measured ?? {})),
      engine: engine.data,
      backend: backend.data,
      contextTokens: spec.contextTokens ?? 0,
      slots: spec.slots ?? 1,
      memoryFraction: null,
      claimedBytes: {},
    },
  ]
}

/** Whoever has given up takes nothing. */
const overStates = new Set(['failed', 'stopped', 'stopping'])

function readStart(replica: WrittenReplica, known: Devices): ManualStart[] {
  const { spec, node, placed, reported } = replica
  if (placed !== null || overStates.has(reported?.state ?? '')) return []
  if (holdOf(replica, known).taken !== null) return []
  const { id, source, kind, contextTokens, slots } = spec
  const engine = z.enum(engineIds).safeParse(reported?.engine ?? spec.engine)
  const backend = z.enum(backends).safeParse(reported?.backend ?? spec.backend)
  return [
    {
      ...{ id, node, source, kind, contextTokens, slots },
      engine: engine.success ? engine.data : null,
      backend: backend.success ? backend.data : null,
    },
  ]
}

function readMemory(measured: z.output<typeof writtenMemory>, known: Devices): MemoryCorrection[] {
  const { devices, estimatedBytes, ...of } = measured
  const taken = bytesOf(takenByDevice(devices, known)) ?? {}
  const [most] = computingDevices(Object.keys(taken))
    .map((id) => [id, taken[id] ?? 0] as const)
    .toSorted(([, one], [, other]) => other - one)
  if (most === undefined) return []
  const [id, takenBytes] = most
  return [{ ...of, takenBytes, estimatedBytes: estimatedBytes[id] ?? null }]
}

/** In the words that detection has of systems, or in those of engines. */
function osOf(text: string): PlacementNode['os'] {
  if (text === 'darwin' || text === 'macos') return 'macos'
  return text === 'win32' || text === 'windows' ? 'windows' : 'linux'
}

function known<Shape extends z.ZodType>(
  shape: Shape,
  values: readonly unknown[],
): z.output<Shape>[] {
  return values.flatMap((value) => {
    const parsed = shape.safeParse(value)
    return parsed.success ? [parsed.data] : []
  })
}
