/** One AMD GPU from the facts of one source, completed with what its ids and names mean. */
import type { DeviceMemory, MemoryPool } from '#core/device.ts'
import { gfxOf, isIntegrated, isVague, modelOf } from '#hardware/amd/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'

export interface AmdGpu extends Omit<PartialDevice, 'vendor' | 'memory'> {
  /** What the driver calls VRAM: memory of its own, or the carve-out of an integrated GPU. */
  readonly vram?: MemoryPool | null
  /** What it may map of the machine's memory: matters where the memory is the same anyway. */
  readonly gtt?: MemoryPool | null
}

export function amdGpu({ vram = null, gtt = null, ...facts }: AmdGpu): PartialDevice {
  const deviceId = facts.pciDeviceId ?? null
  const told = facts.name ?? null
  const name = isVague(told) ? (modelOf(deviceId)?.name ?? told) : told
  const architecture = facts.architecture ?? gfxOf(deviceId, name)
  const integrated = facts.integrated ?? isIntegrated(architecture, name)
  return {
    ...facts,
    vendor: 'amd',
    name: name !== null && /^ip discovery$/.test(name) ? null : name,
    architecture,
    integrated,
    unifiedMemory: integrated,
    memory: memoryOf(integrated, vram, gtt),
  }
}

function memoryOf(
  integrated: boolean | null,
  vram: MemoryPool | null,
  gtt: MemoryPool | null,
): Partial<DeviceMemory> {
  return integrated ? { carveOut: vram, shared: gtt } : { dedicated: vram }
}

export function poolOf(totalBytes: number | null, usedBytes: number | null): MemoryPool | null {
  return totalBytes === null || totalBytes === 0 ? null : { totalBytes, usedBytes }
}
