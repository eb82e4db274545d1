/** Devices that nobody has, made from the name of their kind: to plan with before they are bought. */
import {
  bandwidthClassOf,
  type Device,
  type DeviceMemory,
  type Runtime,
  type Vendor,
} from '#core/device.ts'
import { type DeviceKindFacts, deviceKinds } from '#hardware/probe-device-kinds.ts'

export interface NamedDevices {
  readonly kind: DeviceKindFacts
  readonly devices: readonly Device[]
}

/**
 * `rtx-4090`, `rtx-3090 24GiB`, `2 x rtx-3090`. A size is that of the device; of integrated GPUs, of
 * Apple silicon and of CPUs that of the machine. Null for a kind that is in no row, or one whose
 * memory has to be said.
 */
export function namedDevices(text: string): NamedDevices | null {
  const parsed = /^(?:(\d{1,2})\s*[x×]\s*)?([a-z0-9-]+)(?:[\s:]+(\d+(?:\.\d+)?)\s*Gi?B?)?$/i.exec(
    text.trim(),
  )
  const [, countText = '1', id = '', sizeText] = parsed ?? []
  const kind = deviceKinds.find((each) => each.id === id.toLowerCase())
  if (kind === undefined) return null
  const gibibytes = sizeText === undefined ? kind.memoryGibibytes : Number(sizeText)
  if (gibibytes === null || gibibytes <= 0) return null
  const count = Math.max(1, Number(countText))
  const devices = Array.from({ length: count }, (_, index) => deviceOf(kind, gibibytes, index))
  return { kind, devices }
}

const gibibyte = 2 ** 30

/**
 * What NVIDIA's driver keeps: 346 of 24564 MiB on a 4090, 460 of 20475 on an RTX 4000 Ada, 388 of
 * 15360 on a T4.
 */
const reservedRatio = 0.02

/** What Linux lets an integrated GPU map of the machine's memory, unless it is told otherwise. */
const sharedRatio = 0.5

const integratedKinds = new Set(['strix-halo', 'radeon-780m', 'radeon-680m'])

const runtimesOf: Readonly<Record<Vendor, readonly Runtime[]>> = {
  nvidia: ['cuda', 'vulkan'],
  amd: ['rocm', 'vulkan'],
  apple: ['metal'],
  intel: ['levelZero', 'vulkan'],
  cpu: [],
  other: ['vulkan'],
}

function deviceOf(kind: DeviceKindFacts, gibibytes: number, index: number): Device {
  const { vendor, id, gigabytesPerSecond } = kind
  const integrated = integratedKinds.has(id)
  const unified = vendor === 'apple' || vendor === 'cpu' || id === 'dgx-spark'
  const totalBytes = Math.round(gibibytes * gibibyte)
  const bandwidth = gigabytesPerSecond === null ? null : gigabytesPerSecond * 1e9
  const memory: DeviceMemory = {
    dedicated: integrated || unified ? null : { totalBytes, usedBytes: null },
    unified: unified ? { totalBytes, usedBytes: null } : null,
    carveOut: integrated ? { totalBytes: gibibyte / 2, usedBytes: null } : null,
    shared: integrated ? { totalBytes: totalBytes * sharedRatio, usedBytes: null } : null,
    reservedBytes: vendor === 'nvidia' && !unified ? Math.round(totalBytes * reservedRatio) : null,
    limitBytes: null,
  }
  return {
    vendor,
    name: kind.name,
    index,
    ...{ vulkanIndex: null, busId: null, uuid: null, pciDeviceId: null },
    ...{ parent: null, partition: null },
    memoryBytes: integrated ? totalBytes * sharedRatio : totalBytes,
    ...{ usedMemoryBytes: null, memory, memoryUsers: null },
    unifiedMemory: integrated || unified,
    integrated: integrated || vendor === 'apple',
    architecture: kind.architecture,
    computeUnits: null,
    features: [],
    driverVersion: null,
    runtimes: Object.fromEntries(runtimesOf[vendor].map((runtime) => [runtime, null])),
    ...{ powerWatts: null, powerLimitWatts: null, temperatureCelsius: null },
    utilizationRatio: null,
    memoryBandwidthBytesPerSecond: bandwidth,
    memoryBandwidthClass: bandwidth === null ? null : bandwidthClassOf(bandwidth),
    ...{ pcieGeneration: null, pcieLanes: null, links: [], numaNode: null },
    ...{ schedulable: true, reason: null },
  }
}
