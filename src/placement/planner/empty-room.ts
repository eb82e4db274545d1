/**
 * How much of a device may be promised, and out of which memory it comes. Devices that live in the
 * memory of the machine draw on one pool together, so that no byte of it is promised twice.
 */
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import { deviceRoom, hostRoomBytes } from '#placement/memory/device-room.ts'

export interface EmptyRoom {
  /** The most that replicas may hold of the device. */
  readonly capacityBytes: number
  /** Of that, what is its own; the rest comes out of the memory of the machine. */
  readonly ownBytes: number
}

/** With no replica of ours anywhere. */
export function emptyRoom(device: PlacementDevice, node: PlacementNode): EmptyRoom {
  const { usableBytes, sharesHostMemory } = deviceRoom(device, node, {})
  return { capacityBytes: usableBytes, ownBytes: sharesHostMemory ? 0 : usableBytes }
}

/** What all devices of a node that live in its memory may hold together. */
export function emptyHostBytes(node: PlacementNode): number {
  return hostRoomBytes(node, {})
}
