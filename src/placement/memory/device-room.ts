/** How much of a device a replica may take: what is there, without what others hold. */
import type { Device } from '#core/device.ts'
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import type { MemoryDevice } from '#placement/memory/memory-question.ts'
import { sum } from '#placement/memory/sums.ts'

/**
 * Left free of a device with memory of its own: allocators split it, and drivers take a little more
 * under load. Less than 512 MiB is what one more kernel module takes; 3 % covers large ones.
 */
const marginBytesMin = 512 * 2 ** 20
const marginRatio = 0.03

/**
 * Left to the operating system where a replica takes of the memory of the machine: 4 GiB for a
 * desktop and its page cache, but no more than a quarter of a small machine.
 */
const systemBytesMax = 4 * 2 ** 30
const systemRatioMax = 0.25

/** Metal lets its GPU hold two thirds of the memory up to 36 GB, and three quarters above. */
const workingSetBorderBytes = 36 * 2 ** 30

/** `promisedBytes`: what other replicas of ours hold, by device id. */
export function deviceRoom(
  device: PlacementDevice,
  node: PlacementNode,
  promisedBytes: Readonly<Record<string, number>>,
): MemoryDevice {
  const { memory, memoryBytes } = device.device
  const totalBytes = Math.max(0, (memoryBytes ?? 0) - (memory.reservedBytes ?? 0))
  const promised = promisedBytes[device.id] ?? 0
  const taken = device.foreignBytes + promised
  if (!sharesHostMemory(device.device)) {
    const margin = Math.max(marginBytesMin, marginRatio * totalBytes)
    return {
      id: device.id,
      totalBytes,
      usableBytes: Math.max(
        0,
        // A limit is what our replicas may take together: others' programs are no part of it.
        Math.min(totalBytes - margin - taken, (memory.limitBytes ?? totalBytes) - promised),
      ),
      sharesHostMemory: false,
    }
  }
  const limit = Math.min(totalBytes, workingSetLimit(device.device) ?? totalBytes)
  return {
    id: device.id,
    totalBytes,
    usableBytes: Math.max(0, Math.min(limit - taken, hostRoomBytes(node, promisedBytes))),
    sharesHostMemory: true,
  }
}

/** Whether what it may take is the memory of the machine, and not cut out of it or its own. */
export function sharesHostMemory({ vendor, memory, memoryBytes }: Device): boolean {
  if (vendor === 'cpu' || memory.unified !== null) return true
  const { shared, carveOut, dedicated } = memory
  if (shared === null || dedicated !== null) return false
  return carveOut === null || (memoryBytes ?? 0) <= shared.totalBytes
}

/** Of the memory of the machine; endless where nobody knows how much there is. */
export function hostRoomBytes(
  { devices }: PlacementNode,
  promisedBytes: Readonly<Record<string, number>>,
): number {
  const sharing = devices.filter(({ device }) => sharesHostMemory(device))
  const sizes = sharing.map(({ device }) => machineBytes(device))
  const total = Math.max(0, ...sizes)
  if (total === 0) return Number.POSITIVE_INFINITY
  const carved = devices.map(({ device }) => device.memory.carveOut?.totalBytes ?? 0)
  const foreign = Math.max(0, ...sharing.map(({ foreignBytes }) => foreignBytes))
  const promised = sum(sharing.map(({ id }) => promisedBytes[id] ?? 0))
  const cpu = devices.some(({ device }) => device.vendor === 'cpu')
  // What a CPU's memory is said to be has no carve-out in it; a GPU's pool alone may be all of it.
  const system = Math.min(systemBytesMax, systemRatioMax * total)
  return Math.max(0, total - system - foreign - promised - (cpu ? 0 : sum(carved)))
}

function machineBytes({ memory, memoryBytes }: Device): number {
  return memory.unified?.totalBytes ?? memoryBytes ?? 0
}

function workingSetLimit({ vendor, memory, runtimes }: Device): number | null {
  if (memory.limitBytes !== null) return memory.limitBytes
  if (vendor === 'cpu' || memory.unified === null || !('metal' in runtimes)) return null
  const { totalBytes } = memory.unified
  return totalBytes <= workingSetBorderBytes ? (totalBytes * 2) / 3 : (totalBytes * 3) / 4
}
