/** Machines, deployments and inventories for tests of placement: plain, but for what a test says. */
import type { Constraints, Deployment, ModelVariant, Targets } from '#core/deployment.ts'
import { bandwidthClassOf, type Device, type DeviceMemory, type Vendor } from '#core/device.ts'
import type { Backend } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { type KvCacheType, kvCacheBytes } from '#core/engine-memory.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { FitQuestion, FitReplica, SpeedEstimate } from '#placement/fit.ts'
import type {
  Inventory,
  PlacedReplica,
  PlacementDevice,
  PlacementNode,
} from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { kvCacheTypesOf } from '#placement/settings-to-try.ts'

export const gibibyte = 2 ** 30

const noMemory: DeviceMemory = {
  dedicated: null,
  unified: null,
  carveOut: null,
  shared: null,
  reservedBytes: null,
  limitBytes: null,
}

export function placementDevice(
  id: string,
  vendor: Vendor,
  memoryGib: number,
  gigabytesPerSecond: number,
  more: Partial<Device> = {},
): PlacementDevice {
  const totalBytes = memoryGib * gibibyte
  const pool = { totalBytes, usedBytes: 0 }
  const inMachine = vendor === 'cpu' || vendor === 'apple'
  const device: Device = {
    vendor,
    name: `${vendor} with ${memoryGib} GiB`,
    index: 0,
    vulkanIndex: null,
    busId: null,
    uuid: null,
    pciDeviceId: null,
    parent: null,
    partition: null,
    memoryBytes: totalBytes,
    usedMemoryBytes: 0,
    memory: inMachine ? { ...noMemory, unified: pool } : { ...noMemory, dedicated: pool },
    memoryUsers: [],
    unifiedMemory: inMachine,
    integrated: inMachine,
    architecture: null,
    computeUnits: null,
    features: [],
    driverVersion: null,
    runtimes: {},
    powerWatts: null,
    powerLimitWatts: null,
    temperatureCelsius: null,
    utilizationRatio: null,
    memoryBandwidthBytesPerSecond: gigabytesPerSecond * 1e9,
    memoryBandwidthClass: bandwidthClassOf(gigabytesPerSecond * 1e9),
    pcieGeneration: null,
    pcieLanes: null,
    links: [],
    numaNode: null,
    schedulable: true,
    reason: null,
    ...more,
  }
  return { id, device, foreignBytes: 0 }
}

export const nvidia = (memoryGib: number, number = 0) =>
  placementDevice(`nvidia-${number}`, 'nvidia', memoryGib, 1_000)
export const cpu = (memoryGib: number) => placementDevice('cpu-0', 'cpu', memoryGib, 80)

export function placementNode(
  name: string,
  devices: readonly PlacementDevice[],
  more: Partial<PlacementNode> = {},
): PlacementNode {
  return {
    id: name,
    name,
    os: 'linux',
    osVersion: null,
    containers: null,
    presence: 'ready',
    draining: false,
    labels: {},
    taints: [],
    devices,
    engines: null,
    weights: [],
    freeDiskBytes: null,
    diskBytesPerSecond: null,
    networkBytesPerSecond: null,
    ...more,
  }
}

/** A transformer of so many bytes, all of its layers alike. */
export function modelFacts(gib: number, more: Partial<ModelFacts> = {}): ModelFacts {
  const tensorBytes = gib * gibibyte
  return {
    format: 'gguf',
    architecture: 'llama',
    name: null,
    parameterCount: tensorBytes * 2,
    quantization: 'Q4_K_M',
    bitsPerWeight: 4,
    tensorBytes,
    tensorBytesByPart: {
      byLayer: [tensorBytes],
      expertsByLayer: [0],
      tokenEmbedding: 0,
      output: 0,
      other: 0,
    },
    tensorCount: 1,
    contextTokens: 32_768,
    layerCount: 1,
    embeddingLength: 1,
    feedForwardLength: 1,
    headCount: 1,
    kvHeadCount: 1,
    keyDimension: 1,
    valueDimension: 1,
    attention: [],
    latentAttention: null,
    experts: null,
    vocabularySize: 1,
    chatTemplate: '',
    pooling: null,
    ...more,
  }
}

export function variant(
  source: string,
  gib: number,
  more: Partial<ModelVariant> = {},
): ModelVariant {
  return { source, format: 'gguf', engines: null, facts: modelFacts(gib), ...more }
}

export function deployment(
  name: string,
  gib: number,
  more: Omit<Partial<Deployment>, 'constraints' | 'targets'> & {
    readonly constraints?: Partial<Constraints>
    readonly targets?: Partial<Targets>
  } = {},
): Deployment {
  return {
    name,
    task: 'chat',
    model: name,
    variants: [variant(`hf:test/${name}`, gib)],
    replicas: { min: 1, max: 1 },
    contextTokens: null,
    slots: null,
    priority: 'normal',
    share: false,
    ...more,
    targets: {
      ttftMs: null,
      tpotMs: null,
      tokensPerSecond: null,
      startMs: null,
      bestEffort: false,
      ...more.targets,
    },
    constraints: {
      backends: null,
      engines: null,
      nodes: null,
      labels: {},
      minVramBytes: null,
      tolerations: [],
      awayFrom: [],
      ...more.constraints,
    },
  }
}

export function inventory(
  nodes: readonly PlacementNode[],
  replicas: readonly PlacedReplica[] = [],
): Inventory {
  return { nodes, replicas, memory: [], speeds: [] }
}

export function planInput(
  nodes: readonly PlacementNode[],
  deployments: readonly Deployment[],
  more: Partial<PlanInput> = {},
): PlanInput {
  return {
    deployments,
    inventory: inventory(nodes),
    engines: testEngines,
    wantedReplicas: {},
    reserve: 'none',
    frozen: false,
    ...more,
  }
}

/** One that takes a fraction of devices that are alike, and one that takes what it needs of any. */
export const testEngines: readonly EngineFacts[] = [
  engine('vllm', ['cuda', 'rocm'], 'tensor-parallel', ['safetensors']),
  engine('llama-server', ['cuda', 'rocm', 'metal', 'vulkan', 'cpu'], 'layers', ['gguf']),
]

function engine(
  id: EngineFacts['id'],
  backends: readonly Backend[],
  spread: EngineFacts['spread'],
  weightsFormats: EngineFacts['weightsFormats'],
): EngineFacts {
  const supports = backends.map((backend) => ({
    backend,
    kinds: ['native' as const],
    os: ['linux' as const, 'macos' as const],
    minimums: {},
    architectures: { kind: 'any' as const },
  }))
  const memory = {
    kind: spread === 'layers' ? 'whole-context' : 'fraction',
    flashAttention: backends,
    kvCacheTypes: ['f16', 'q8_0'],
  }
  const facts = { id, title: id, supports, weightsFormats, tasks: null, spread, memory }
  // Of memory, placement looks at little else; its figures are for the arithmetic of fit.
  return facts as unknown as EngineFacts
}

const overheadBytes = gibibyte / 4
/** Of one token of one slot, whatever the model. */
const kvBytesPerToken = 64 * 1_024
const slotsUsual = 4
const fractionUsual = 0.9

/**
 * A fit that a person can check in the head: weights and a quarter of a GiB, split evenly over the
 * devices, and 64 KiB for each token of each of four slots, less where its owner allows fewer bits.
 */
export const evenFit: FitReplica = (question) => {
  const facts = question.variant.facts
  if (facts === null) return refusal('memory', 'nobody has read its headers yet')
  const { deployment: wanted, limits, devices, engine: by } = question
  const slots = Math.min(wanted.slots ?? slotsUsual, limits.slots ?? Infinity)
  const count = devices.length
  const weightsBytes = facts.tensorBytes / count
  const least = Math.min(...devices.map((one) => one.device.memoryBytes ?? 0)) - gibibyte
  const longest = Math.min(
    wanted.contextTokens ?? facts.contextTokens ?? 4_096,
    limits.contextTokens ?? Infinity,
  )
  const takesFraction = by.memory.kind === 'fraction'
  const fraction = takesFraction ? Math.min(fractionUsual, limits.memoryFraction ?? 1) : null
  const roomBytes = fraction === null ? least : Math.min(least, (least + gibibyte) * fraction)
  for (const kvCacheType of kvCacheTypesOf(question)) {
    const kvBytesOf = (kvBytesPerToken * kvCacheBytes[kvCacheType]) / kvCacheBytes.f16 / count
    for (let contextTokens = longest; contextTokens >= 256; contextTokens /= 2) {
      const sumBytes = weightsBytes + overheadBytes + contextTokens * slots * kvBytesOf
      if (sumBytes <= roomBytes) {
        const needBytes = fraction === null ? sumBytes : (least + gibibyte) * fraction
        const taken = { contextTokens, slots, fraction, kvCacheType, weightsBytes, needBytes }
        return answer(question, taken)
      }
      if (wanted.contextTokens !== null) break
    }
  }
  return refusal('memory', `${wanted.name} needs more than there is`)
}

function answer(
  { node, devices, engine: by, backend, kind, variant: files }: FitQuestion,
  taken: {
    readonly contextTokens: number
    readonly slots: number
    readonly fraction: number | null
    readonly kvCacheType: KvCacheType
    readonly weightsBytes: number
    readonly needBytes: number
  },
): ReturnType<FitReplica> {
  const rest = taken.needBytes - taken.weightsBytes - overheadBytes
  return {
    kind: 'fits',
    setting: {
      node: node.id,
      devices: devices.map(({ id }) => id),
      engine: by.id,
      backend,
      kind,
      source: files.source,
      contextTokens: taken.contextTokens,
      slots: taken.slots,
      memoryFraction: taken.fraction,
      tensorParallel: by.spread === 'tensor-parallel' ? devices.length : 1,
      kvCacheType: taken.kvCacheType,
      offload: null,
      settings: [],
    },
    memory: {
      devices: devices.map(({ id, device }) => ({
        device: id,
        terms: [
          { name: 'weights', bytes: taken.weightsBytes, why: 'its files' },
          { name: 'overhead', bytes: overheadBytes, why: 'the process' },
          { name: 'kv-cache', bytes: rest, why: 'the rest' },
        ],
        needBytes: taken.needBytes,
        usableBytes: device.memoryBytes ?? 0,
      })),
      hostBytes: 0,
      hostTerms: [],
      kvCacheTokens: null,
      layersOnDevices: null,
      confidence: 'estimated',
    },
    speed: speedOf(devices, taken.weightsBytes),
    notes: [],
  }
}

function speedOf(devices: readonly PlacementDevice[], weightsBytes: number): SpeedEstimate {
  const slowest = Math.min(
    ...devices.map(({ device }) => device.memoryBandwidthBytesPerSecond ?? 50e9),
  )
  const decodeTokensPerSecond = (slowest * 0.6) / weightsBytes
  const promptTokensPerSecond = decodeTokensPerSecond * 30
  return { promptTokensPerSecond, decodeTokensPerSecond, startMs: null, basis: 'bandwidth' }
}

function refusal(check: string, what: string): ReturnType<FitReplica> {
  const blockers = [{ check, what, unlockedBy: null }]
  return { kind: 'no', blockers, memory: null, suggestions: [] }
}
