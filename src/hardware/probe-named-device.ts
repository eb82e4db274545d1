/** Devices that nobody has, made from the name of their kind: to plan with before they are bought. */
import {
  bandwidthClassOf,
  type Device,
  type DeviceMemory,
  type Runtime,
  type Vendor,
} from '#core/device.ts'
import { type DeviceKindFacts, deviceKinds } from '#hardware/probe-device-kinds.ts'
import { closest, nearest } from '#std/closest.ts'

export type NamedDevices =
  | {
      readonly kind: 'devices'
      readonly of: DeviceKindFacts
      readonly devices: readonly Device[]
    }
  /** A clause: what there is not, and what there is. */
  | { readonly kind: 'none'; readonly because: string }

/** More than any of a kind has been rebuilt to: there are 3090s and 4090s with twice of it. */
const rebuiltMax = 4

/** Of kinds that come with any memory, as CPUs: what the largest machines hold. */
const gibibytesMax = 8_192

/** Of some seventy names, those that somebody may have meant instead. */
const alikeShown = 4

/** More are in no machine. */
const countMax = 16

/**
 * `rtx-4090`, `rtx-3090 24GiB`, `2 x rtx-3090`. A size is that of the device; of integrated GPUs, of
 * Apple silicon and of CPUs that of the machine.
 */
export function namedDevices(text: string): NamedDevices {
  const parsed = /^(?:(\d{1,6})\s*[x×]\s*)?([a-z0-9-]+)(?:[\s:]+(-?[\d.]+)\s*(T|G|M)?i?B?)?$/i.exec(
    text.trim(),
  )
  if (parsed === null) return none(`"${text}" is no device; write one as "2 x rtx-3090 24GiB"`)
  const [, countText = '1', id = '', sizeText, unit = 'G'] = parsed
  const kind = deviceKinds.find((each) => each.id === id.toLowerCase())
  if (kind === undefined) {
    const ids = deviceKinds.map((each) => each.id)
    const meant = closest(id.toLowerCase(), ids)
    if (meant === null) return none(`there is no such device; known are ${ids.join(', ')}`)
    const others = nearest(id.toLowerCase(), ids, alikeShown + 1).filter((each) => each !== meant)
    const alike = others.slice(0, alikeShown).join(', ')
    return none(`there is no such device; did you mean ${meant}? Others like it: ${alike}`)
  }
  const { memoryGibibytes: usual } = kind
  const said = sizeText === undefined ? null : Number(sizeText) * gibibytesOf(unit)
  const gibibytes = said ?? usual
  if (gibibytes === null) return none(`say how much memory it has, as "${kind.id} 24GiB"`)
  const most = usual === null ? gibibytesMax : usual * rebuiltMax
  if (!(gibibytes >= 1 && gibibytes <= most)) {
    const has = usual === null ? '' : `; it is made with ${usual} GiB`
    return none(
      `no ${kind.id} has ${sizeText} ${unit.toUpperCase()}iB: 1 to ${most} GiB can be${has}`,
    )
  }
  const count = Number(countText)
  if (count < 1 || count > countMax) {
    return none(`${count} of them are in no machine: 1 to ${countMax} can be`)
  }
  const devices = Array.from({ length: count }, (_, index) => deviceOf(kind, gibibytes, index))
  return { kind: 'devices', of: kind, devices }
}

const none = (because: string): NamedDevices => ({ kind: 'none', because })

function gibibytesOf(unit: string): number {
  return { t: 1_024, g: 1, m: 1 / 1_024 }[unit.toLowerCase()] ?? Number.NaN
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
