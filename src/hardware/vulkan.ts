/**
 * What Vulkan sees, of all vendors: an API version for the GPUs that other probes know, and the only
 * word about GPUs that no other probe does. Software renderers are no devices.
 */
import type { Problem } from '#core/device.ts'
import type { Captured, PartialDevice, Probe } from '#hardware/probe.ts'
import { outputOf, runProblems, runsOf } from '#hardware/probe-answers.ts'
import {
  busIdIn,
  gpuBytes,
  hexIdIn,
  nameIn,
  versionIn,
  withoutAnsi,
} from '#hardware/probe-fields.ts'
import { readDeviceList } from '#hardware/vulkan/device-list.ts'
import { vendorOf } from '#hardware/vulkan/vendor.ts'

export const vulkan: Probe = {
  vendor: 'vulkan',
  commands: [
    { command: 'vulkaninfo', args: ['--summary'], timeoutMs: 3_000 },
    // Only the long form has the sizes of the memory.
    { command: 'vulkaninfo', args: [], timeoutMs: 3_000 },
    { command: 'llama-server', args: ['--list-devices'], timeoutMs: 3_000 },
  ],
  files: [],
  read(captured) {
    const seen = new Map<number, Fields>()
    for (const run of runsOf(captured, 'vulkaninfo')) addBlocks(withoutAnsi(outputOf(run)), seen)
    const gpus = [...seen].filter(([, fields]) => !isSoftware(fields))
    const listed = runsOf(captured, 'llama-server').flatMap((run) => readDeviceList(outputOf(run)))
    return {
      sources: [
        { devices: withoutTwins(gpus.map(([index, fields]) => readGpu(index, fields))) },
        { devices: listed, lastResort: true },
      ].filter(({ devices }) => devices.length > 0),
      problems: [
        ...runProblems(captured, ['vulkaninfo']),
        ...softwareProblems(captured, [...seen.values()], gpus.length),
      ],
    }
  },
}

/** "name = value" lines of one GPU, and the size of its largest heap of its own. */
interface Fields {
  readonly values: Map<string, string>
  heapBytes: number | null
}

/** The same GPU comes in the short and in the long form; what was read first counts. */
function addBlocks(text: string, seen: Map<number, Fields>): void {
  const parts = text.split(/^GPU(\d{1,3}):\s*$/m)
  for (let at = 1; at + 1 < parts.length; at += 2) {
    const index = Number(parts[at])
    const block = parts[at + 1] ?? ''
    const fields = seen.get(index) ?? { values: new Map(), heapBytes: null }
    seen.set(index, fields)
    for (const [, name = '', value = ''] of block.matchAll(/^\s+(\w+)\s*= (.*)$/gm)) {
      if (!fields.values.has(name)) fields.values.set(name, value.trim())
    }
    fields.heapBytes ??= largestOwnHeap(block)
  }
}

function largestOwnHeap(block: string): number | null {
  const heaps = block.split(/memoryHeaps\[\d+\]:/).slice(1)
  const own = heaps
    .filter((heap) => /^(?:(?!memoryTypes)[\s\S])*?MEMORY_HEAP_DEVICE_LOCAL_BIT/.test(heap))
    .flatMap((heap) => gpuBytes(/size\s*= (\d+)/.exec(heap)?.[1], 'B') ?? [])
  return own.length === 0 ? null : Math.max(...own)
}

function isSoftware({ values }: Fields): boolean {
  return (
    values.get('deviceType') === 'PHYSICAL_DEVICE_TYPE_CPU' ||
    /llvmpipe|lavapipe|swiftshader|Basic Render/i.test(values.get('deviceName') ?? '')
  )
}

function readGpu(vulkanIndex: number, { values, heapBytes }: Fields): PartialDevice {
  const name = nameIn(values.get('deviceName'))
  const vendor = vendorOf(values.get('vendorID') ?? null, name)
  const type = values.get('deviceType') ?? ''
  const integrated = /INTEGRATED/.test(type) ? true : /DISCRETE/.test(type) ? false : null
  const uuid = values.get('deviceUUID') ?? null
  const pool = heapBytes === null ? null : { totalBytes: heapBytes, usedBytes: null }
  return {
    vendor,
    identity: {
      bus: vendor === 'amd' ? busInUuid(uuid) : null,
      uuid: vendor === 'nvidia' && uuid !== null ? `GPU-${uuid}` : null,
      numbers: [`vulkan:${vulkanIndex}`],
    },
    vulkanIndex,
    name,
    integrated,
    pciDeviceId: hexIdIn(values.get('deviceID')),
    architecture:
      vendor === 'amd'
        ? (/\(RADV (GFX[0-9A-F]+)\)/.exec(name ?? '')?.[1]?.toLowerCase() ?? null)
        : null,
    runtimes: { vulkan: apiVersion(values.get('apiVersion')) },
    memory: integrated ? { shared: pool } : { dedicated: pool },
  }
}

/** "1.3.260", or in older releases "4206847 (1.3.255)". */
function apiVersion(text: string | undefined): string | null {
  return versionIn(/\((\d+\.\d+\.\d+)\)/.exec(text ?? '')?.[1] ?? text)
}

/** The drivers for AMD put domain, bus, slot and function into the UUID, four bytes each. */
function busInUuid(uuid: string | null): string | null {
  const digits = uuid?.replaceAll('-', '') ?? ''
  if (!/^[0-9a-f]{32}$/i.test(digits)) return null
  const [domain, bus, slot, fn] = [0, 8, 16, 24].map((at) => {
    const bytes = digits.slice(at, at + 8).match(/../g) ?? []
    return Number.parseInt(bytes.toReversed().join(''), 16)
  }) as [number, number, number, number]
  const isAddress = domain <= 0xffff && bus > 0 && bus <= 0xff && slot <= 31 && fn <= 7
  return isAddress
    ? busIdIn(`${domain.toString(16)}:${bus.toString(16)}:${slot.toString(16)}.${fn}`)
    : null
}

/** Two drivers for one GPU (RADV and AMDVLK) show it twice. */
function withoutTwins(gpus: readonly PartialDevice[]): PartialDevice[] {
  const seen = new Set<string>()
  return gpus.filter(({ identity }) => {
    const mark = identity.bus ?? identity.uuid
    if (!mark) return true
    const isNew = !seen.has(mark)
    seen.add(mark)
    return isNew
  })
}

function softwareProblems(
  captured: Captured,
  fields: readonly Fields[],
  gpuCount: number,
): Problem[] {
  const software = fields.find(isSoftware)
  if (software === undefined || gpuCount > 0) return []
  const name = nameIn(software.values.get('deviceName')) ?? 'a software renderer'
  return [
    {
      severity: 'warning',
      what: `Vulkan finds no GPU, only ${name}, which computes on the CPU.`,
      why: 'A Vulkan engine would start and be slower than a CPU engine, without saying why.',
      fix:
        captured.system === 'linux'
          ? 'Install the Vulkan driver of your GPU (mesa-vulkan-drivers, or the one that comes with the NVIDIA driver); in a container pass the GPU in (--gpus all, or --device /dev/dri).'
          : 'Install the Vulkan driver of your GPU.',
    },
  ]
}
