/** What a replica takes of each device, from what the devices and the system say. Pure. */
import { deviceKey } from '#agent/device-key.ts'
import type { ProcessMemory } from '#agent/replicas/group-memory.ts'
import type { Device } from '#core/device.ts'
import type { DeviceMemoryTaken } from '#protocol/agent-messages.ts'

export interface MemoryLook {
  /** Those it was given, as they are now. */
  readonly devices: readonly Device[]
  /** All of the machine's, the CPU among them. */
  readonly allDevices: readonly Device[]
  /** Used on each device just before it was started, by its key; null when others came between. */
  readonly usedBefore: ReadonlyMap<string, number> | null
  /** Its processes; null for a container, whose processes are not ours to see. */
  readonly processes: readonly ProcessMemory[] | null
}

/**
 * On a GPU what the driver says of its processes, or else how much more is used than before; in the
 * memory of the machine the resident sets of its processes. A device that tells neither is left out.
 */
export function takenMemory(look: MemoryLook): DeviceMemoryTaken[] {
  const gpus = look.devices.filter(({ vendor }) => vendor !== 'cpu')
  const cpu = look.allDevices.find(({ vendor }) => vendor === 'cpu')
  return [
    ...gpus.flatMap((device) => ofGpu(device, look) ?? []),
    ...(cpu === undefined ? [] : (ofMachine(cpu, look) ?? [])),
  ]
}

function ofGpu(device: Device, look: MemoryLook): DeviceMemoryTaken[] | null {
  const pids = new Set(look.processes?.map(({ pid }) => pid))
  const own = (device.memoryUsers ?? []).filter(
    ({ pid, usedMemoryBytes }) => pids.has(pid) && usedMemoryBytes !== null,
  )
  if (own.length > 0) {
    const bytes = own.reduce((total, { usedMemoryBytes }) => total + (usedMemoryBytes ?? 0), 0)
    return [taken(device, bytes, 'processes')]
  }
  return ofDifference(device, look)
}

function ofMachine(cpu: Device, look: MemoryLook): DeviceMemoryTaken[] | null {
  if (look.processes === null) return ofDifference(cpu, look)
  const bytes = look.processes.reduce((total, { residentBytes }) => total + residentBytes, 0)
  const mappedBytes = look.processes.reduce((total, one) => total + one.mappedBytes, 0)
  return bytes === 0 ? null : [{ ...taken(cpu, bytes, 'processes'), mappedBytes }]
}

/** Less than before is somebody else who left; then nothing is known of this one. */
function ofDifference(device: Device, { usedBefore }: MemoryLook): DeviceMemoryTaken[] | null {
  const before = usedBefore?.get(deviceKey(device))
  if (before === undefined || device.usedMemoryBytes === null) return null
  const more = device.usedMemoryBytes - before
  return more > 0 ? [taken(device, more, 'difference')] : null
}

function taken(
  { vendor, index, name }: Device,
  takenBytes: number,
  source: DeviceMemoryTaken['source'],
): DeviceMemoryTaken {
  return { vendor, index, name, takenBytes, source }
}
