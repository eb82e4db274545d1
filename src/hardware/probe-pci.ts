/**
 * What the kernel knows of PCI devices and graphics devices without any vendor's tool. Every GPU
 * has a place here, also one without a driver.
 */
import type { Captured } from '#hardware/probe.ts'
import { busIdIn, hexIdIn, indexIn } from '#hardware/probe-fields.ts'

/** Shared by the probes of all vendors; a file is read once. */
export const pciFiles = [
  '/sys/bus/pci/devices/*/vendor',
  '/sys/bus/pci/devices/*/device',
  '/sys/bus/pci/devices/*/class',
  '/sys/bus/pci/devices/*/numa_node',
]
export const pciLinks = ['/sys/bus/pci/devices/*/driver']

/** Of what stands at a card of the Direct Rendering Manager, these tell which one it is. */
export const drmFiles = ['vendor', 'device', 'class', 'uevent', 'numa_node'].map(
  (name) => `/sys/class/drm/card#/device/${name}`,
)
export const drmLinks = ['/sys/class/drm/card#/device', '/sys/class/drm/card#/device/driver']

export interface PciGpu {
  readonly bus: string | null
  readonly deviceId: string | null
  readonly driver: string | null
  readonly numaNode: number | null
  /** Folder of its files: /sys/class/drm/card0/device or /sys/bus/pci/devices/0000:01:00.0. */
  readonly folder: string
  /** Its card, /sys/class/drm/card0, where it has one. */
  readonly card: string | null
}

/**
 * GPUs of a vendor in order of their addresses. Audio functions, network cards and bridges of the
 * same maker are left out by class: 0x03 display, 0x12 accelerator (Instinct).
 */
export function pciGpus({ files, links }: Captured, vendorId: string): PciGpu[] {
  const found = new Map<string, PciGpu>()
  for (const [folder, name] of folders(files, /^(\/sys\/bus\/pci\/devices\/([^/]+))\/vendor$/)) {
    const bus = busIdIn(name)
    const gpu = gpuIn(files, links, folder, bus, null)
    if (bus !== null && isGpu(files, folder, vendorId, true)) found.set(bus, gpu)
  }
  for (const [folder, card] of folders(files, /^(\/sys\/class\/drm\/(card\d+)\/device)\/vendor$/)) {
    if (!isGpu(files, folder, vendorId, false)) continue
    const slot = /^PCI_SLOT_NAME=(\S+)$/m.exec(files.get(`${folder}/uevent`) ?? '')?.[1]
    const bus = busIdIn(slot) ?? busIdIn(links.get(folder))
    const seen = gpuIn(files, links, folder, bus, `/sys/class/drm/${card}`)
    const known = bus === null ? undefined : found.get(bus)
    found.set(bus ?? card, {
      ...seen,
      driver: seen.driver ?? known?.driver ?? null,
      numaNode: seen.numaNode ?? known?.numaNode ?? null,
    })
  }
  return [...found.values()].sort((one, other) => (one.bus ?? '').localeCompare(other.bus ?? ''))
}

function folders(files: ReadonlyMap<string, string>, pattern: RegExp): [string, string][] {
  return [...files.keys()].flatMap((path) => {
    const match = pattern.exec(path)
    return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as [string, string]]
  })
}

function isGpu(
  files: ReadonlyMap<string, string>,
  folder: string,
  vendorId: string,
  needsClass: boolean,
): boolean {
  const vendor = hexIdIn(files.get(`${folder}/vendor`))
  const deviceClass = files.get(`${folder}/class`)?.trim().toLowerCase()
  if (vendor !== vendorId) return false
  if (deviceClass === undefined) return !needsClass
  return /^0x(0300|0302|0380|1200)/.test(deviceClass)
}

function gpuIn(
  files: ReadonlyMap<string, string>,
  links: ReadonlyMap<string, string>,
  folder: string,
  bus: string | null,
  card: string | null,
): PciGpu {
  const driver =
    links.get(`${folder}/driver`) ??
    /^DRIVER=(\S+)$/m.exec(files.get(`${folder}/uevent`) ?? '')?.[1] ??
    null
  return {
    bus,
    deviceId: hexIdIn(files.get(`${folder}/device`)),
    driver,
    // -1 says that the machine has no NUMA nodes.
    numaNode: indexIn(files.get(`${folder}/numa_node`)),
    folder,
    card,
  }
}
