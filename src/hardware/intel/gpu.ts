/** One Intel GPU from the facts of one source, completed with what its ids and names mean. */
import type { MemoryPool } from '#core/device.ts'
import { deviceIdInName, intelModel, isIntegratedName } from '#hardware/intel/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'

export interface IntelGpu extends Omit<PartialDevice, 'vendor' | 'memory'> {
  readonly pool?: MemoryPool | null
}

export function intelGpu({ pool = null, ...facts }: IntelGpu): PartialDevice {
  const told = facts.name ?? null
  const deviceId = facts.pciDeviceId ?? deviceIdInName(told)
  const model = intelModel(deviceId)
  const vague = told === null || deviceIdInName(told) !== null
  const name = vague ? (model?.name ?? told) : told
  const integrated = facts.integrated ?? model?.integrated ?? isIntegratedName(name)
  return {
    ...facts,
    vendor: 'intel',
    name,
    pciDeviceId: deviceId,
    architecture: facts.architecture ?? model?.architecture ?? null,
    integrated,
    unifiedMemory: integrated,
    memory: integrated ? { shared: pool } : { dedicated: pool },
  }
}
