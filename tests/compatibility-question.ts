/** Builders for tests of compatibility: they ask about one thing, and take the rest for well. */
import type { Device, Vendor } from '#core/device.ts'
import { type Backend, backendsOfVendor, type WeightsFormat } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { engineCatalog } from '#engines/index.ts'
import type { CompatibilityNode, CompatibilityQuestion } from '#placement/compatibility/question.ts'

/** A model of 8 billion weights of which only the numbers matter. */
export function modelInFormat(format: WeightsFormat, quantization: string | null): ModelFacts {
  return {
    format,
    architecture: 'llama',
    name: null,
    parameterCount: 8e9,
    quantization,
    bitsPerWeight: 4.5,
    tensorBytes: 4.5e9,
    tensorBytesByPart: {
      byLayer: Array.from({ length: 32 }, () => 125e6),
      expertsByLayer: Array.from({ length: 32 }, () => 0),
      tokenEmbedding: 250e6,
      output: 250e6,
      other: 0,
    },
    tensorCount: 291,
    contextTokens: 131_072,
    layerCount: 32,
    embeddingLength: 4_096,
    feedForwardLength: 14_336,
    headCount: 32,
    kvHeadCount: 8,
    keyDimension: 128,
    valueDimension: 128,
    attention: [],
    latentAttention: null,
    experts: null,
    vocabularySize: 128_256,
    chatTemplate: null,
    pooling: null,
  }
}

export function engineNamed(id: EngineId): EngineFacts {
  const found = engineCatalog.find((engine) => engine.id === id)
  if (found === undefined) throw new Error(`no engine ${id}`)
  return found
}

type Asked = Partial<Omit<CompatibilityQuestion, 'engine' | 'node' | 'devices'>> & {
  readonly engine: EngineId
  readonly devices: readonly Device[]
  readonly node?: Partial<CompatibilityNode>
}

export function questionAbout(asked: Asked): CompatibilityQuestion {
  const { engine, devices, node, ...rest } = asked
  const vendor = devices[0]?.vendor ?? 'cpu'
  return {
    engine: engineNamed(engine),
    backend: backendsOfVendor[vendor][0] as Backend,
    kind: 'native',
    node: { ...nodeOf(vendor === 'apple' ? 'macos' : 'linux', devices), ...node },
    devices,
    format: rest.model?.format ?? null,
    model: null,
    task: null,
    features: [],
    targets: null,
    ...rest,
  }
}

/** All engines installed and containers well: what is left is what the hardware says. */
export function nodeOf(os: CompatibilityNode['os'], devices: readonly Device[]): CompatibilityNode {
  return {
    os,
    osVersion: os === 'macos' ? '15.5' : null,
    containers: { kind: 'there', runtimes: ['nvidia'] },
    engines: engineCatalog.map(({ id }) => ({
      engine: id,
      version: null,
      backends: [],
      kinds: ['native', 'container'],
    })),
    devices,
  }
}

type Make = (parts: Partial<Device>) => Device

/** New enough for everything, where a test does not say otherwise. */
export const nvidia: Make = (parts) =>
  deviceOf('nvidia', 'sm_89', { driverVersion: '595.71.05', runtimes: { cuda: '13.2' }, ...parts })
export const amd: Make = (parts) =>
  deviceOf('amd', 'gfx942', { runtimes: { rocm: '7.2', vulkan: '1.4' }, ...parts })
export const apple: Make = (parts) => deviceOf('apple', 'apple9', parts)
export const intel: Make = (parts) =>
  deviceOf('intel', 'xe2', { runtimes: { levelZero: '1.6', vulkan: '1.4' }, ...parts })
export const cpu: Make = (parts) =>
  deviceOf('cpu', 'x86_64', { features: ['avx2', 'avx512f', 'avx512_bf16'], ...parts })

function deviceOf(vendor: Vendor, architecture: string, parts: Partial<Device>): Device {
  return {
    vendor,
    name: `${vendor} of ${parts.architecture ?? architecture}`,
    index: 0,
    vulkanIndex: null,
    busId: null,
    uuid: null,
    pciDeviceId: null,
    parent: null,
    partition: null,
    memoryBytes: 24 * 2 ** 30,
    usedMemoryBytes: 0,
    memory: {
      dedicated: null,
      unified: null,
      carveOut: null,
      shared: null,
      reservedBytes: null,
      limitBytes: null,
    },
    memoryUsers: null,
    unifiedMemory: false,
    integrated: false,
    architecture,
    computeUnits: null,
    features: [],
    driverVersion: null,
    runtimes: {},
    powerWatts: null,
    powerLimitWatts: null,
    temperatureCelsius: null,
    utilizationRatio: null,
    memoryBandwidthBytesPerSecond: null,
    memoryBandwidthClass: null,
    pcieGeneration: null,
    pcieLanes: null,
    links: [],
    numaNode: null,
    schedulable: true,
    reason: null,
    ...parts,
  }
}
