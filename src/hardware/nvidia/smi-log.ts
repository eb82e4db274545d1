/**
 * `nvidia-smi -q`, as XML or as indented text. Both hold the same tree with almost the same names,
 * so both become one tree and are read once. Names moved over the years (power most of all):
 * each fact lists every place it was ever found at.
 */
import type { MemoryPool, MemoryUser } from '#core/device.ts'
import { integratedNames } from '#hardware/nvidia/names.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  gpuBytes,
  hexIdIn,
  indexIn,
  nameIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'
import { readXmlElements, type XmlElement } from '#std/xml-elements.ts'

export interface SmiLog {
  readonly driverVersion: string | null
  readonly cudaVersion: string | null
  readonly devices: readonly PartialDevice[]
}

/** A name in lower case with underscores, its value, and what is below it. */
interface Branch {
  readonly name: string
  readonly value: string
  readonly children: Branch[]
}

export function readXmlLog(text: string): SmiLog {
  const roots = readXmlElements(text).map(branchOf)
  const root = roots.find(({ name }) => name === 'nvidia_smi_log')
  return readLog(root ?? { name: '', value: '', children: roots })
}

export function readTextLog(text: string): SmiLog {
  return readLog({ name: '', value: '', children: indentedBranches(text) })
}

function branchOf({ name, attributes, text, children }: XmlElement): Branch {
  return { name, value: attributes['id'] ?? text, children: children.map(branchOf) }
}

/** "    Product Name    : NVIDIA L40S" below "GPU 00000000:01:00.0", by indentation. */
function indentedBranches(text: string): Branch[] {
  const root: Branch = { name: '', value: '', children: [] }
  const open: { indent: number; branch: Branch }[] = [{ indent: -1, branch: root }]
  for (const line of text.split(/\r?\n/)) {
    const gpu = /^GPU ([0-9A-F]{4,8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-7])\s*$/i.exec(line)
    const [, blanks = '', label = '', value = ''] = /^( *)(.*?)(?: +: ?(.*))?$/.exec(line) ?? []
    if (label === '' || label.startsWith('=')) continue
    const branch: Branch =
      gpu === null
        ? { name: underscored(label), value: value.trim(), children: [] }
        : { name: 'gpu', value: gpu[1] ?? '', children: [] }
    while (open.length > 1 && (open.at(-1)?.indent ?? -1) >= blanks.length) open.pop()
    if (open.length > 64) continue
    open.at(-1)?.branch.children.push(branch)
    open.push({ indent: blanks.length, branch })
  }
  return root.children
}

function underscored(label: string): string {
  return label.trim().toLowerCase().replace(/\s+/g, '_')
}

/** The value at the first of these paths that has one; "a/b" is b below a. */
function value(branch: Branch, ...paths: readonly string[]): string | null {
  for (const path of paths) {
    const found = at(branch, path)
    if (found !== null && found.value !== '' && !/^\[?n\/a\]?$/i.test(found.value)) {
      return found.value
    }
  }
  return null
}

function at(branch: Branch, path: string): Branch | null {
  let current: Branch | undefined = branch
  for (const name of path.split('/')) {
    current = current?.children.find((child) => child.name === name)
  }
  return current ?? null
}

function readLog(root: Branch): SmiLog {
  const gpus = root.children.filter(({ name }) => name === 'gpu')
  return {
    // Newer logs answer "Deprecated, see KMD version instead" in the old place.
    driverVersion:
      versionIn(value(root, 'kmd_version')) ?? versionIn(value(root, 'driver_version')),
    cudaVersion: versionIn(value(root, 'cuda_version', 'cuda_umd_version')),
    devices: gpus.flatMap((gpu, index) => readGpu(gpu, index)),
  }
}

function readGpu(gpu: Branch, index: number): PartialDevice[] {
  const bus = busIdIn(value(gpu, 'pci/pci_bus_id', 'pci/bus_id') ?? gpu.value)
  const uuid = value(gpu, 'uuid', 'gpu_uuid')
  const name = nameIn(value(gpu, 'product_name'))
  const mig = value(gpu, 'mig_mode/current_mig', 'mig_mode/current') === 'Enabled'
  const pool = poolOf(gpu, 'fb_memory_usage')
  const integrated = name !== null && integratedNames.test(name)
  const whole: PartialDevice = {
    vendor: 'nvidia',
    identity: { bus, uuid, numbers: [`nvidia-smi:${index}`] },
    index,
    name,
    integrated,
    pciDeviceId: hexIdIn(value(gpu, 'pci/pci_device_id', 'pci/device_id')?.replace(/10DE$/i, '')),
    memory: {
      dedicated: pool,
      reservedBytes: gpuBytes(value(gpu, 'fb_memory_usage/reserved')),
    },
    memoryUsers: usersOf(gpu),
    powerWatts: wattsIn(
      value(
        gpu,
        'gpu_power_readings/instant_power_draw',
        'gpu_power_readings/instantaneous_power_draw',
        'gpu_power_readings/power_draw',
        'gpu_power_readings/average_power_draw',
        'power_readings/power_draw',
      ),
    ),
    powerLimitWatts: wattsIn(
      value(
        gpu,
        'gpu_power_readings/current_power_limit',
        'power_readings/enforced_power_limit',
        'power_readings/power_limit',
      ),
    ),
    temperatureCelsius: celsiusIn(
      value(gpu, 'temperature/gpu_temp', 'temperature/gpu_current_temp'),
    ),
    utilizationRatio: percentIn(value(gpu, 'utilization/gpu_util', 'utilization/gpu')),
    pcieGeneration: generationOf(
      value(
        gpu,
        'pci/pci_gpu_link_info/pcie_gen/max_link_gen',
        'pci/gpu_link_info/pcie_generation/max',
      ),
    ),
    pcieLanes: lanesOf(
      value(
        gpu,
        'pci/pci_gpu_link_info/link_widths/max_link_width',
        'pci/gpu_link_info/link_width/max',
      ),
    ),
    ...blocked(gpu),
  }
  const instances = mig ? migBranches(gpu).map((branch) => readInstance(branch, whole, index)) : []
  return mig ? [withMigOn(whole), ...instances] : [whole]
}

export function generationOf(text: unknown): number | null {
  const generation = countIn(text, 9)
  return generation === 0 ? null : generation
}

export function lanesOf(text: unknown): number | null {
  const lanes = countIn(text, 64)
  return lanes === 0 ? null : lanes
}

export const migIsOn = 'MIG is on: its instances are the devices'
export const migIsEmpty = 'MIG is on and no instance exists, so nothing can run on it'

/** A GPU that is cut into instances is none itself. */
export function withMigOn(gpu: PartialDevice): PartialDevice {
  return { ...gpu, blockedBecause: migIsOn }
}

/** XML keeps instances in a list of their own, text beside the other facts of the GPU. */
function migBranches(gpu: Branch): Branch[] {
  const list = at(gpu, 'mig_devices')
  return (list ?? gpu).children.filter(({ name }) => name === 'mig_device')
}

function readInstance(branch: Branch, gpu: PartialDevice, gpuIndex: number): PartialDevice {
  const number = indexIn(value(branch, 'index'))
  const pool = poolOf(branch, 'fb_memory_usage') ?? poolOf(branch, 'shared_fb_memory_usage')
  return {
    vendor: 'nvidia',
    identity: { numbers: [`mig:${gpuIndex}/${number ?? '?'}`] },
    index: gpuIndex,
    name: gpu.name ?? null,
    parent: gpu.identity.bus ?? gpu.identity.uuid ?? null,
    busId: gpu.identity.bus ?? null,
    integrated: false,
    memory: { dedicated: pool },
    computeUnits: countIn(
      value(
        branch,
        'device_attributes/shared/multiprocessor_count',
        'device_attributes/shared/multiprocessor_count',
      ),
      1e4,
    ),
  }
}

function poolOf(branch: Branch, name: string): MemoryPool | null {
  const totalBytes = gpuBytes(value(branch, `${name}/total`))
  if (totalBytes === null) return null
  return { totalBytes, usedBytes: gpuBytes(value(branch, `${name}/used`)) }
}

/** XML wraps each process in an element; text lists their facts one after the other. */
function usersOf(gpu: Branch): MemoryUser[] | null {
  const processes = at(gpu, 'processes')
  if (processes === null) return null
  const wrapped = processes.children.filter(({ name }) => name === 'process_info')
  const starts = processes.children.filter(({ name }) => name === 'process_id')
  const groups =
    wrapped.length > 0
      ? wrapped
      : starts.map((start) => ({ ...start, children: [start, ...start.children] }))
  const users = groups.flatMap((process): MemoryUser[] => {
    const pid = countIn(value(process, 'pid', 'process_id'), 2 ** 31)
    if (pid === null) return []
    return [
      {
        pid,
        name: nameIn(value(process, 'process_name', 'name')),
        usedMemoryBytes: gpuBytes(value(process, 'used_memory', 'used_gpu_memory')),
      },
    ]
  })
  return users
}

function blocked(gpu: Branch): { blockedBecause?: string } {
  if (value(gpu, 'compute_mode') === 'Prohibited') {
    return { blockedBecause: 'its compute mode is Prohibited' }
  }
  const reset =
    value(gpu, 'gpu_reset_status/reset_required') === 'Yes' ||
    /reset/i.test(value(gpu, 'gpu_recovery_action') ?? '')
  return reset ? { blockedBecause: 'the GPU needs a reset' } : {}
}
