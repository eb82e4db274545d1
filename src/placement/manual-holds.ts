/**
 * What replicas that were started by hand are going to take, until they are measured. Without it a
 * plan would give the same memory to somebody else, while their weights are still on their way.
 */
import { type Backend, backendsOfVendor, findSupport } from '#core/engine-build.ts'
import type { EngineCatalog, EngineFacts } from '#core/engine-facts.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { contextTokensUsual, slotsUsual } from '#core/usual-room.ts'
import { claimedBytes } from '#placement/claimed-bytes.ts'
import type {
  Inventory,
  ManualStart,
  PlacedReplica,
  PlacementDevice,
  PlacementNode,
} from '#placement/inventory.ts'
import { deviceRoom } from '#placement/memory/device-room.ts'
import { estimateMemory } from '#placement/memory/estimate-memory.ts'
import { usualFraction } from '#placement/memory/fraction.ts'

/**
 * `factsOf`: what the headers of a source say; null while nobody has read them, and then it holds
 * nothing and stays among those that start.
 */
export function withManualHolds(
  inventory: Inventory,
  engines: EngineCatalog,
  factsOf: (source: string) => ModelFacts | null,
): Inventory {
  const starting = inventory.starting ?? []
  if (starting.length === 0) return inventory
  const holds = starting.flatMap((start): PlacedReplica[] => {
    const node = inventory.nodes.find(({ id }) => id === start.node)
    const facts = factsOf(start.source)
    const hold = node === undefined || facts === null ? null : holdOf(start, node, facts, engines)
    return hold === null ? [] : [hold]
  })
  const held = new Set(holds.map(({ id }) => id))
  const unknown = starting.filter(({ id }) => !held.has(id))
  const { starting: _, ...rest } = inventory
  return {
    ...rest,
    ...(unknown.length === 0 ? {} : { starting: unknown }),
    replicas: [...inventory.replicas.filter(({ id }) => !held.has(id)), ...holds],
  }
}

function holdOf(
  start: ManualStart,
  node: PlacementNode,
  facts: ModelFacts,
  engines: EngineCatalog,
): PlacedReplica | null {
  const way = likelyWay(start, node, facts, engines)
  if (way === null) return null
  const { engine, backend, device } = way
  const contextTokens = start.contextTokens ?? contextTokensUsual
  const slots = start.slots ?? slotsUsual
  const room = deviceRoom(device, node, {})
  const memoryFraction =
    engine.memory.kind === 'fraction'
      ? usualFraction(engine.memory, room.totalBytes, room.usableBytes)
      : null
  const memory = estimateMemory({
    ...{ facts, engine: engine.memory, backend, devices: [room], contextTokens, slots },
    ...{ memoryFraction, tensorParallel: 1, flashAttention: null },
    ...{ kvCacheType: 'f16', offload: null },
  })
  const cpu = node.devices.find((one) => one.device.vendor === 'cpu')
  return {
    id: start.id,
    deployment: null,
    node: node.id,
    devices: [device.id],
    engine: engine.id,
    backend,
    source: start.source,
    ...{ contextTokens, slots, memoryFraction },
    ready: false,
    claimedBytes: claimedBytes(memory, cpu?.id ?? null),
    measuredBytes: null,
  }
}

/** As an agent chooses: GPUs before the CPU, the largest first, then backends and engines in order. */
function likelyWay(
  start: ManualStart,
  node: PlacementNode,
  { format }: ModelFacts,
  engines: EngineCatalog,
): { engine: EngineFacts; backend: Backend; device: PlacementDevice } | null {
  const devices = node.devices
    .filter(({ device }) => device.schedulable)
    .toSorted(
      ({ device: one }, { device: other }) =>
        Number(one.vendor === 'cpu') - Number(other.vendor === 'cpu') ||
        (other.memoryBytes ?? 0) - (one.memoryBytes ?? 0),
    )
  for (const device of devices) {
    for (const backend of backendsOfVendor[device.device.vendor]) {
      if (start.backend !== null && start.backend !== backend) continue
      const engine = engines.find(
        (one) =>
          (start.engine === null || start.engine === one.id) &&
          one.weightsFormats.includes(format) &&
          findSupport(one.supports, backend, start.kind) !== null &&
          isThere(one, node, start),
      )
      if (engine !== undefined) return { engine, backend, device }
    }
  }
  return null
}

function isThere({ id }: EngineFacts, { engines }: PlacementNode, { kind }: ManualStart): boolean {
  return kind === 'container' || engines === null || engines.some(({ engine }) => engine === id)
}
