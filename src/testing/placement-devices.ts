/** Nodes and devices for tests of placement, as plain as they can be. */
import type { Device, DeviceMemory, Vendor } from '#core/device.ts'

export const gibibyte = 2 ** 30

const noMemory: DeviceMemory = {
  dedicated: null,
  unified: null,
  carveOut: null,
  shared: null,
  reservedBytes: null,
  limitBytes: null,
}

export function testDevice(
  vendor: Vendor,
  memoryBytes: number,
  own: Partial<Omit<Device, 'memory'>> & { readonly memory?: Partial<DeviceMemory> } = {},
): Device {
  const pool = { totalBytes: memoryBytes, usedBytes: null }
  const isUnified = vendor === 'apple' || vendor === 'cpu'
  const memory = { ...noMemory, ...(isUnified ? { unified: pool } : { dedicated: pool }) }
  return {
    ...{ vendor, name: `${vendor} device`, index: 0, vulkanIndex: null, busId: null, uuid: null },
    ...{ pciDeviceId: null, parent: null, partition: null, memoryBytes, usedMemoryBytes: null },
    ...{ memoryUsers: null, unifiedMemory: isUnified, integrated: isUnified, architecture: null },
    ...{ computeUnits: null, features: [], driverVersion: null },
    runtimes: vendor === 'apple' ? { metal: null } : {},
    ...{ powerWatts: null, powerLimitWatts: null, temperatureCelsius: null },
    ...{ utilizationRatio: null, memoryBandwidthBytesPerSecond: null, memoryBandwidthClass: null },
    ...{ pcieGeneration: null, pcieLanes: null, links: [], numaNode: null },
    ...{ schedulable: true, reason: null },
    ...own,
    memory: { ...memory, ...own.memory },
  }
}
