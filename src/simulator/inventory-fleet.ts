import { deviceModels } from '#batching/device-models.ts'
import type { Device } from '#core/device.ts'
import type { ReferenceSpeed, SpeedReferences } from '#core/speed-references.ts'
import type { Inventory, PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import { type RateStepTime, stepTimeOfRates } from '#simulator/step-time-of-rates.ts'

/** An entry of a fleet file, and on what its speed rests. */
export interface InventoryEndpoint {
  readonly name: string
  readonly device: string
  readonly slots?: number
  readonly engine?: 'vllm' | 'sglang' | 'llama-server'
  readonly models?: readonly string[]
  readonly kvTokens?: number
  readonly stepTime?: RateStepTime
  readonly basis: string
}

export interface InventoryFleet {
  readonly endpoints: readonly InventoryEndpoint[]
  /** Devices whose speed nobody knows, by node and name. */
  readonly unknown: readonly string[]
}

/**
 * The real fleet as one on paper: an endpoint for each replica that runs, and for each GPU of nodes
 * without any, or the CPU of a node without GPUs. Recordings answer nothing and are left out. Speeds are
 * those that were measured there, else those of the device by its name, else published ones.
 */
export function inventoryFleet(inventory: Inventory, references: SpeedReferences): InventoryFleet {
  const endpoints: InventoryEndpoint[] = []
  const unknown: string[] = []
  const add = (node: PlacementNode, device: PlacementDevice, told: Told) => {
    const speed = speedOf(node, device.device, told, inventory, references)
    if (speed === null) unknown.push(`${node.name}: ${device.device.name}`)
    else {
      const name = freeName(`${node.name}-${device.id}`, endpoints)
      endpoints.push({ name, ...speed, ...(told.slots !== null && { slots: told.slots }) })
    }
  }
  for (const node of inventory.nodes) {
    if (node.presence === 'lost' || node.isRecording === true) continue
    const replicas = inventory.replicas.filter((one) => one.node === node.id && one.ready)
    for (const replica of replicas) {
      const device = node.devices.find(({ id }) => id === replica.devices[0])
      if (device !== undefined) add(node, device, { engine: replica.engine, slots: replica.slots })
    }
    if (replicas.length > 0) continue
    for (const device of usedDevices(node)) add(node, device, { engine: null, slots: null })
  }
  return { endpoints, unknown }
}

interface Told {
  readonly engine: string | null
  readonly slots: number | null
}

function usedDevices({ devices }: PlacementNode): readonly PlacementDevice[] {
  const able = devices.filter(({ device }) => device.schedulable)
  const gpus = able.filter(({ device }) => device.vendor !== 'cpu')
  return gpus.length > 0 ? gpus : able
}

function speedOf(
  node: PlacementNode,
  device: Device,
  { engine }: Told,
  { speeds }: Inventory,
  references: SpeedReferences,
): Omit<InventoryEndpoint, 'name' | 'slots'> | null {
  const kind = references.kindOf(device)?.id ?? null
  const measured = speeds.find((one) => one.node === node.id && one.engine === engine)
  if (measured !== undefined) {
    const { model, promptTokensPerSecond, decodeTokensPerSecond } = measured
    return {
      device: kind ?? plainName(device.name),
      stepTime: stepTimeOfRates(promptTokensPerSecond, decodeTokensPerSecond),
      basis: `measured with ${model}`,
    }
  }
  if (kind === null) return null
  const known = Object.entries(deviceModels).find(([name]) => name === kind)
  if (known !== undefined) return { device: kind, basis: `by name, with ${known[1].model}` }
  const published = references.speeds.filter((one) => one.kind === kind).toSorted(nearest8B)[0]
  if (published === undefined) return null
  const { promptTokensPerSecond, decodeTokensPerSecond, activeParameters } = published
  if (promptTokensPerSecond === null || decodeTokensPerSecond === null) return null
  return {
    device: kind,
    stepTime: stepTimeOfRates(promptTokensPerSecond, decodeTokensPerSecond),
    basis: `published, with ${Math.round(activeParameters / 1e8) / 10}B weights`,
  }
}

const nearest8B = (one: ReferenceSpeed, other: ReferenceSpeed) =>
  Math.abs(one.activeParameters - 7.5e9) - Math.abs(other.activeParameters - 7.5e9)

const plainName = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

function freeName(name: string, taken: readonly InventoryEndpoint[]): string {
  const plain = plainName(name)
  for (let count = 1; ; count++) {
    const one = count === 1 ? plain : `${plain}-${count}`
    if (!taken.some((endpoint) => endpoint.name === one)) return one
  }
}
