/**
 * How much of a device may be promised, and out of which memory it comes. Devices that live in the
 * memory of the machine draw on one pool together, so that no byte of it is promised twice.
 */
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'

export interface DeviceRoom {
  /** The most that replicas may hold of the device. */
  readonly capacityBytes: number
  /** Of that, what is its own; the rest comes out of the memory of the machine. */
  readonly ownBytes: number
}

const mebibyte = 2 ** 20
const gibibyte = 2 ** 30

/** Of a GPU: contexts of other programs come and go, and a driver takes a little more with time. */
const marginBytes = 512 * mebibyte

/**
 * Of the memory of the machine: the system itself, page cache to load weights through, the agent.
 * Small machines have small systems, so it is a share there.
 */
const hostMarginBytes = 4 * gibibyte
const hostMarginShare = 0.15

export function deviceRoom({ device, foreignBytes }: PlacementDevice): DeviceRoom {
  const { dedicated, unified, carveOut, shared, limitBytes, reservedBytes } = device.memory
  const own = dedicated?.totalBytes ?? carveOut?.totalBytes ?? 0
  const borrowed = unified?.totalBytes ?? shared?.totalBytes ?? 0
  const known = own + borrowed
  const total = Math.min(known > 0 ? known : (device.memoryBytes ?? 0), limitBytes ?? Infinity)
  const margin = device.vendor === 'cpu' ? hostMargin(total) : marginBytes
  const capacityBytes = Math.max(0, total - (reservedBytes ?? 0) - margin - foreignBytes)
  const inMachineMemory = unified !== null || device.vendor === 'cpu'
  if (inMachineMemory) return { capacityBytes, ownBytes: 0 }
  if (dedicated === null && carveOut !== null && shared !== null) {
    return { capacityBytes, ownBytes: Math.min(capacityBytes, carveOut.totalBytes) }
  }
  return { capacityBytes, ownBytes: capacityBytes }
}

/** What all devices of a node that live in its memory may hold together; null when unknown. */
export function hostRoomBytes(node: PlacementNode): number | null {
  const cpu = node.devices.find(({ device }) => device.vendor === 'cpu')
  if (cpu !== undefined) return deviceRoom(cpu).capacityBytes
  const unified = node.devices.find(({ device }) => device.memory.unified !== null)
  return unified === undefined ? null : deviceRoom(unified).capacityBytes
}

function hostMargin(totalBytes: number): number {
  return Math.min(hostMarginBytes, totalBytes * hostMarginShare)
}
