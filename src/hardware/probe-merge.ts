/**
 * One device seen by several tools is one device. Sources come best first: each adds what is not
 * known yet. Two sightings are the same device when their strongest common mark of identity says so
 * (PCI address, then UUID, then numbers); sightings without a common mark are matched by what they
 * have in common, in order, and never twice within a source.
 */
import {
  bandwidthClassOf,
  type Device,
  type DeviceMemory,
  type MemoryPool,
  type Runtime,
  unknownMemory,
} from '#core/device.ts'
import type { Identity, PartialDevice, SourceDevices } from '#hardware/probe.ts'
import { nominalBandwidth } from '#hardware/probe-device-kinds.ts'

export function mergeDevices(sources: readonly SourceDevices[]): Device[] {
  const known: PartialDevice[] = []
  for (const { devices, lastResort } of sources) {
    const before = known.length
    const vendorsKnown = new Set(known.map(({ vendor }) => vendor))
    const taken = new Set<number>()
    for (const seen of devices) {
      if (lastResort && vendorsKnown.has(seen.vendor)) continue
      const match = findMatch(seen, known.slice(0, before), taken)
      if (match === null) known.push(seen)
      else {
        taken.add(match)
        known[match] = combined(known[match] as PartialDevice, seen)
      }
    }
  }
  return preferDiscrete(withParents(known.map(finished))).sort(inOrder)
}

/** Instances name their GPU by its address, also where one tool only told its UUID. */
function withParents(devices: readonly Device[]): Device[] {
  const addresses = new Map(devices.map(({ uuid, busId }) => [uuid, busId]))
  return devices.map((device) => {
    const address = device.parent === null ? null : addresses.get(device.parent)
    return address ? { ...device, parent: address, busId: address } : device
  })
}

function findMatch(
  seen: PartialDevice,
  known: readonly PartialDevice[],
  taken: ReadonlySet<number>,
): number | null {
  let possible: number | null = null
  for (const [index, candidate] of known.entries()) {
    if (taken.has(index) || candidate.vendor !== seen.vendor) continue
    const same = areSame(seen.identity, candidate.identity)
    if (same === true) return index
    if (same === null && possible === null && isCompatible(seen, candidate)) possible = index
  }
  return possible
}

/** By the strongest mark that both have; null when they have none in common. */
function areSame(one: Identity, other: Identity): boolean | null {
  if (one.bus && other.bus) return one.bus === other.bus
  if (one.uuid && other.uuid) return one.uuid === other.uuid
  const family = (number: string): string => number.slice(0, number.indexOf(':'))
  for (const number of one.numbers ?? []) {
    const peer = other.numbers?.find((candidate) => family(candidate) === family(number))
    if (peer !== undefined) return peer === number
  }
  return null
}

/** Whether nothing that both say contradicts that they are the same. */
function isCompatible(one: PartialDevice, other: PartialDevice): boolean {
  if ((one.parent ?? null) !== (other.parent ?? null)) return false
  return (
    agree(one.architecture, other.architecture) &&
    agree(one.pciDeviceId, other.pciDeviceId) &&
    agree(one.integrated, other.integrated) &&
    agreeAbout(poolBytes(one.memory), poolBytes(other.memory))
  )
}

function agree<Value>(one: Value | null | undefined, other: Value | null | undefined): boolean {
  return one == null || other == null || one === other
}

/** Tools count memory with and without what firmware holds: 16225 and 17102 MB are one A770. */
function agreeAbout(one: number | null, other: number | null): boolean {
  return one === null || other === null || Math.abs(one - other) <= 0.08 * Math.max(one, other)
}

function poolBytes(memory: Partial<DeviceMemory> | undefined): number | null {
  return (memory?.dedicated ?? memory?.carveOut)?.totalBytes ?? null
}

function combined(known: PartialDevice, seen: PartialDevice): PartialDevice {
  const memory = withoutNulls({ ...seen.memory })
  const runtimes = withoutNulls({ ...seen.runtimes })
  const { blockedIfAlone: alone, ...rest } = withoutNulls(known)
  const { blockedIfAlone: seenAlone, ...fresh } = withoutNulls(seen)
  return {
    ...fresh,
    ...rest,
    ...(alone !== undefined && seenAlone !== undefined ? { blockedIfAlone: alone } : {}),
    identity: {
      ...withoutNulls(seen.identity),
      ...withoutNulls(known.identity),
      numbers: [...(known.identity.numbers ?? []), ...(seen.identity.numbers ?? [])],
    },
    memory: combinedMemory(memory, withoutNulls({ ...known.memory })),
    runtimes: {
      ...seen.runtimes,
      ...known.runtimes,
      ...runtimes,
      ...withoutNulls({ ...known.runtimes }),
    },
  } as PartialDevice
}

/** Pool by pool; a use that only the weaker source knows completes the pool of the stronger one. */
function combinedMemory(
  seen: Partial<DeviceMemory>,
  known: Partial<DeviceMemory>,
): Partial<DeviceMemory> {
  const result: Partial<DeviceMemory> = { ...seen, ...known }
  for (const name of ['dedicated', 'unified', 'carveOut', 'shared'] as const) {
    const [one, other] = [known[name], seen[name]]
    if (one?.usedBytes === null && other?.usedBytes != null) {
      result[name] = { ...one, usedBytes: other.usedBytes }
    }
  }
  return result
}

/** Without what is null, undefined or empty, so that another source may fill it. */
function withoutNulls<Fields extends object>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value != null && !(Array.isArray(value) && value.length === 0),
    ),
  ) as Partial<Fields>
}

const noMemory: DeviceMemory = {
  dedicated: null,
  unified: null,
  carveOut: null,
  shared: null,
  reservedBytes: null,
  limitBytes: null,
}

function finished(seen: PartialDevice): Device {
  const memory = saneMemory({ ...noMemory, ...seen.memory })
  const pool = largestPool(memory)
  const name = seen.name ?? `${titles[seen.vendor]} (model unknown)`
  // A slice has a share of the bandwidth, and which one depends on its profile.
  const nominal = seen.parent
    ? null
    : nominalBandwidth(seen.vendor, `${name} ${seen.architecture ?? ''}`)
  const bandwidth = seen.memoryBandwidthBytesPerSecond ?? nominal
  const blocked = seen.blockedBecause ?? seen.blockedIfAlone
  const reason = blocked ?? (pool === null ? unknownMemory : null)
  const { identity } = seen
  return {
    vendor: seen.vendor,
    name,
    index: seen.index ?? null,
    vulkanIndex: seen.vulkanIndex ?? null,
    busId: seen.busId ?? identity.bus ?? null,
    uuid: seen.uuid ?? identity.uuid ?? null,
    pciDeviceId: seen.pciDeviceId ?? null,
    parent: seen.parent ?? null,
    partition: seen.partition ?? null,
    memoryBytes: pool?.totalBytes ?? null,
    usedMemoryBytes: pool?.usedBytes ?? null,
    memory,
    memoryUsers: seen.memoryUsers ?? null,
    unifiedMemory: seen.unifiedMemory ?? unifiedBy(memory),
    integrated: seen.integrated ?? null,
    architecture: seen.architecture ?? null,
    computeUnits: seen.computeUnits ?? null,
    features: seen.features ?? [],
    driverVersion: seen.driverVersion ?? null,
    runtimes: { ...ownRuntime(seen.vendor), ...seen.runtimes },
    powerWatts: rounded(seen.powerWatts),
    // A cap of 0 W is how drivers say that there is none.
    powerLimitWatts: rounded(seen.powerLimitWatts) || null,
    temperatureCelsius: rounded(seen.temperatureCelsius),
    utilizationRatio: rounded(seen.utilizationRatio),
    memoryBandwidthBytesPerSecond: bandwidth,
    memoryBandwidthClass: bandwidth === null ? null : bandwidthClassOf(bandwidth),
    pcieGeneration: seen.pcieGeneration ?? null,
    pcieLanes: seen.pcieLanes ?? null,
    links: seen.links ?? [],
    numaNode: seen.numaNode ?? null,
    schedulable: reason === null,
    reason,
  }
}

/** Sensors do not measure more than three digits behind the point. */
function rounded(value: number | null | undefined): number | null {
  return value == null ? null : Number(value.toFixed(3))
}

const titles = {
  nvidia: 'NVIDIA GPU',
  amd: 'AMD GPU',
  apple: 'Apple GPU',
  intel: 'Intel GPU',
  cpu: 'CPU',
  other: 'GPU',
} as const

function ownRuntime(vendor: Device['vendor']): Partial<Record<Runtime, null>> {
  if (vendor === 'nvidia') return { cuda: null }
  if (vendor === 'amd') return { rocm: null }
  if (vendor === 'apple') return { metal: null }
  return vendor === 'intel' ? { levelZero: null } : {}
}

function unifiedBy(memory: DeviceMemory): boolean | null {
  if (memory.unified !== null || memory.carveOut !== null) return true
  return memory.dedicated === null ? null : false
}

/** More used than there is, or a pool of nothing, was misread. */
function saneMemory(memory: DeviceMemory): DeviceMemory {
  const sane = (pool: MemoryPool | null): MemoryPool | null => {
    if (pool === null || pool.totalBytes === 0) return null
    const { totalBytes, usedBytes } = pool
    return {
      totalBytes,
      usedBytes: usedBytes !== null && usedBytes <= totalBytes ? usedBytes : null,
    }
  }
  return {
    ...memory,
    dedicated: sane(memory.dedicated),
    unified: sane(memory.unified),
    carveOut: sane(memory.carveOut),
    shared: sane(memory.shared),
  }
}

/**
 * The pool an engine will get its memory from. A carve-out and what may be mapped beside it are not
 * added up: some runtimes use the one, some the other, few both.
 */
function largestPool(memory: DeviceMemory): MemoryPool | null {
  if (memory.dedicated !== null) return memory.dedicated
  if (memory.unified !== null) return memory.unified
  const { carveOut, shared, limitBytes } = memory
  if (carveOut === null && shared === null && limitBytes !== null) {
    return { totalBytes: limitBytes, usedBytes: null }
  }
  if (carveOut === null || shared === null) return carveOut ?? shared
  return shared.totalBytes > carveOut.totalBytes ? shared : carveOut
}

/**
 * Beside a discrete GPU a small integrated one drives the screen; as the only one it is what there
 * is. Those with wide memory (Strix Halo, GB10, Apple) stand for themselves.
 */
function preferDiscrete(devices: readonly Device[]): Device[] {
  const discrete = devices.some(
    ({ vendor, integrated, schedulable }) => vendor !== 'cpu' && integrated !== true && schedulable,
  )
  return devices.map((device) => {
    const { vendor, integrated, schedulable, memoryBandwidthClass } = device
    const isSmall = memoryBandwidthClass === null || memoryBandwidthClass === 'narrow'
    const stepsBack = discrete && integrated === true && isSmall && vendor !== 'apple'
    const reason = 'integrated, beside a discrete GPU: used only when a deployment names it'
    return stepsBack && schedulable ? { ...device, schedulable: false, reason } : device
  })
}

const vendorOrder = ['nvidia', 'amd', 'apple', 'intel', 'other', 'cpu']

function inOrder(one: Device, other: Device): number {
  return (
    vendorOrder.indexOf(one.vendor) - vendorOrder.indexOf(other.vendor) ||
    (one.index ?? 4_096) - (other.index ?? 4_096) ||
    // A GPU stands before its own instances, which stand in their order.
    Number(one.parent !== null) - Number(other.parent !== null) ||
    (one.busId ?? '').localeCompare(other.busId ?? '')
  )
}
