/**
 * Starting an engine: what is asked for, and what to run. All of it is data. An adapter turns one
 * into the other and touches nothing; whoever starts the process sees every word of it before.
 */

import {
  architecturesFit,
  type Backend,
  findSupport,
  type LaunchKind,
  type Support,
  type WeightsFormat,
} from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { type KvCacheType, kvCacheTypesOn, type Offload } from '#core/engine-memory.ts'
import type { Task } from '#core/task.ts'

export interface LaunchDevice {
  /** Its number in the order of the backend: CUDA, HIP, Level Zero and Vulkan each have their own. */
  readonly index: number
  readonly uuid: string | null
  /** PCI address, as 0000:01:00.0. */
  readonly busId: string | null
  /** What kernels are compiled for: sm_89, gfx1151, apple9, x86_64. */
  readonly architecture: string | null
  readonly unifiedMemory: boolean
}

export interface LaunchRequest {
  readonly replicaId: string
  /** What clients call the model. */
  readonly modelName: string
  readonly task: Task
  readonly weights: {
    readonly format: WeightsFormat
    /** The file, or the directory, as the engine sees it: containers mount it at the same path. */
    readonly path: string
    /** The directory that holds all of it: what a container mounts. */
    readonly root: string
    /** Files elsewhere that links in it lead to: a container has to see them, too. */
    readonly outside?: readonly string[]
  }
  /** Engines listen where only this machine can reach them; the agent is the way in. */
  readonly host: '127.0.0.1'
  readonly port: number
  readonly backend: Backend
  /** At least one, all of the same kind. */
  readonly devices: readonly LaunchDevice[]
  /** The longest prompt plus answer of one request. */
  readonly contextTokens: number
  /** Requests it works on at a time. */
  readonly slots: number
  /** The part of each device's memory it may take, for engines that take all they may. */
  readonly memoryFraction: number | null
  /** Numbers that keys and values are kept in; null: what the engine has by itself. */
  readonly kvCacheType: KvCacheType | null
  /** What is left to the CPU; null: everything is on the devices. */
  readonly offload: Offload | null
  /** Devices that each layer is spread over; 1 where the model is not split in this way. */
  readonly tensorParallel: number
  readonly kind: LaunchKind
  /** Where its program is on the node; null to find it by name. */
  readonly executable: string | null
  /** The way to start this very program, for the engine that is part of it. */
  readonly ownProgram: { readonly command: string; readonly args: readonly string[] } | null
  /** Numeric ids of the groups that own /dev/kfd and /dev/dri here; names mean nothing in images. */
  readonly deviceGroupIds: readonly number[]
  /** Where compiled kernels may be kept between starts; null for nowhere. */
  readonly cacheDirectory: string | null
  /** Whether a GPU without code of its own may run that of a relative. */
  readonly allowsArchitectureOverride: boolean
  /** Added at the end, as the user wrote them. */
  readonly extraArgs: readonly string[]
  readonly apiKey: string | null
}

export interface ContainerMount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
}

export interface ContainerPlan {
  readonly image: string
  /** Device files, as /dev/kfd. */
  readonly devices: readonly string[]
  /** NVIDIA GPUs by UUID or index; null for none. */
  readonly gpus: readonly string[] | null
  /** Groups to be in, as numbers where the node told. */
  readonly groups: readonly string[]
  readonly ipc: 'host' | null
  readonly shmBytes: number | null
  readonly mounts: readonly ContainerMount[]
  /** The engine listens on all addresses inside; this is where it can be reached from outside. */
  readonly network: {
    readonly hostAddress: string
    readonly hostPort: number
    readonly containerPort: number
  }
  readonly capAdd: readonly string[]
  readonly securityOptions: readonly string[]
  readonly ulimits: Readonly<Record<string, number>>
  /** Another container runtime than the default, as `nvidia` where `--gpus` does not work. */
  readonly runtime: string | null
}

/** What to run. In a container, `command` replaces the entrypoint of the image. */
export interface LaunchPlan {
  readonly kind: 'plan'
  readonly command: string
  readonly args: readonly string[]
  /** Only what must be set. */
  readonly env: Readonly<Record<string, string>>
  /** To be set as well, but never shown: not in a log, not in a printed form of this plan. */
  readonly secretEnv: Readonly<Record<string, string>>
  readonly container: ContainerPlan | null
  /** What the engine will call the model. */
  readonly servedName: string
  /** A request that loads the model, for engines that are ready without one; else null. */
  readonly preload: { readonly path: string; readonly body: unknown } | null
}

export const launchProblemCodes = [
  'wrong-backend',
  'wrong-format',
  'wrong-task',
  'wrong-architecture',
  'wrong-devices',
  'wrong-memory',
  'no-container',
  'no-program',
  'no-api-key-check',
] as const

/** Why it cannot be started as asked, and what would work. */
export interface LaunchProblem {
  readonly kind: 'problem'
  readonly code: (typeof launchProblemCodes)[number]
  readonly message: string
  readonly fix: string
}

export type Launch = (request: LaunchRequest) => LaunchPlan | LaunchProblem

/** What an adapter may count on: the checks have passed. */
export interface CheckedRequest extends LaunchRequest {
  readonly support: Support
  /** HSA_OVERRIDE_GFX_VERSION for devices that run the code of a relative; else null. */
  readonly gfxVersion: string | null
}

/** A launch that refuses what the facts rule out, in the same words for every engine. */
export function checkedLaunch(
  facts: EngineFacts,
  plan: (request: CheckedRequest) => LaunchPlan | LaunchProblem,
): Launch {
  return (request) => {
    const checked = checkRequest(facts, request)
    return 'code' in checked ? checked : plan(checked)
  }
}

export function launchProblem(
  code: LaunchProblem['code'],
  message: string,
  fix: string,
): LaunchProblem {
  return { kind: 'problem', code, message, fix }
}

function checkRequest(facts: EngineFacts, request: LaunchRequest): CheckedRequest | LaunchProblem {
  const { title } = facts
  const { backend, kind, weights, task, devices } = request
  if (!facts.weightsFormats.includes(weights.format)) {
    return launchProblem(
      'wrong-format',
      `${title} does not read ${weights.format} weights.`,
      `Give it ${facts.weightsFormats.join(' or ')}.`,
    )
  }
  if (facts.tasks !== null && !facts.tasks.includes(task)) {
    return launchProblem(
      'wrong-task',
      `${title} has no ${task}.`,
      `It serves ${facts.tasks.join(', ')}.`,
    )
  }
  const support = findSupport(facts.supports, backend, kind)
  if (support === null) {
    const other = kind === 'native' ? 'container' : 'native'
    const inTheOtherWay = findSupport(facts.supports, backend, other) !== null
    const runs = [...new Set(facts.supports.map((support) => support.backend))].join(', ')
    return launchProblem(
      inTheOtherWay && kind === 'container' ? 'no-container' : 'wrong-backend',
      inTheOtherWay
        ? `${title} for ${backend} cannot be started as ${asWords[kind]}.`
        : `${title} does not run on ${backend}.`,
      inTheOtherWay ? `Start it as ${asWords[other]}.` : `It runs on ${runs}.`,
    )
  }
  const devicesProblem = checkDevices(facts, request)
  if (devicesProblem !== null) return devicesProblem
  const memoryProblem = checkMemory(facts, request)
  if (memoryProblem !== null) return memoryProblem
  if (request.apiKey !== null && !facts.checksApiKey) {
    return launchProblem(
      'no-api-key-check',
      `${title} cannot check an API key, so anybody on the machine could use it.`,
      'Start it without a key; it listens on 127.0.0.1 only.',
    )
  }
  const fit = architecturesFit(
    support.architectures,
    devices.map(({ architecture }) => architecture),
  )
  if (fit.kind === 'none') {
    const { index = 0, architecture = null } = devices[fit.at] ?? {}
    return launchProblem(
      'wrong-architecture',
      `${title} has no ${backend} code for ${architecture} (device ${index}).`,
      `It runs on ${fit.runs}.`,
    )
  }
  if (fit.kind === 'conflict') {
    const [one, other] = fit.values
    return launchProblem(
      'wrong-architecture',
      other === null
        ? `${fit.variable}=${one} counts for all devices, ${fit.architecture} too.`
        : `The devices need ${fit.variable} ${one} and ${other} at once.`,
      'Start one replica on each.',
    )
  }
  if (fit.kind === 'relative' && !request.allowsArchitectureOverride) {
    const { index = 0, architecture = null } = devices[fit.at] ?? {}
    const { variable, value } = fit.relative
    return launchProblem(
      'wrong-architecture',
      `${title} has no ${backend} code for ${architecture} (device ${index}) itself.`,
      `Use vulkan, or allow ${variable}=${value} and test one token.`,
    )
  }
  return { ...request, support, gfxVersion: fit.kind === 'relative' ? fit.relative.value : null }
}

const asWords: Record<LaunchKind, string> = { native: 'a native program', container: 'a container' }

function checkDevices(facts: EngineFacts, request: LaunchRequest): LaunchProblem | null {
  const { title, spread } = facts
  const { devices, tensorParallel } = request
  if (devices.length === 0) {
    return launchProblem('wrong-devices', 'No device is given.', 'Give one; the CPU is one too.')
  }
  if (devices.length > 1 && spread === 'single') {
    return launchProblem(
      'wrong-devices',
      `${title} uses one device, and ${devices.length} are given.`,
      'Start one replica on each.',
    )
  }
  if (tensorParallel > 1 && spread !== 'tensor-parallel') {
    return launchProblem(
      'wrong-devices',
      `${title} cannot spread a layer over ${tensorParallel} devices.`,
      'Set tensorParallel to 1.',
    )
  }
  if (spread === 'tensor-parallel' && tensorParallel !== devices.length) {
    return launchProblem(
      'wrong-devices',
      `The number of devices is ${devices.length}, and tensorParallel is ${tensorParallel}.`,
      'Give as many devices as tensorParallel says.',
    )
  }
  if (devices.length > 1 && devices.some(({ uuid }) => uuid?.startsWith('MIG-') === true)) {
    return launchProblem(
      'wrong-devices',
      'CUDA gives a process one MIG instance, and several are given.',
      'Start one replica on each instance.',
    )
  }
  return null
}

function checkMemory({ title, memory }: EngineFacts, request: LaunchRequest): LaunchProblem | null {
  const { offload, backend } = request
  const type = quantizedKv(request)
  if (type !== null && !kvCacheTypesOn(memory, backend).includes(type)) {
    return launchProblem(
      'wrong-memory',
      `${title} on ${backend} cannot keep its KV cache in ${type}.`,
      'Leave the type out, and give it less context.',
    )
  }
  const offloads = memory.kind === 'whole-context' ? memory.offloads : 'nothing'
  if (offload === null || offloads === 'layers-and-experts') return null
  if (offloads === 'nothing' || offload.expertLayersOnHost > offload.layersOnHost) {
    return launchProblem(
      'wrong-memory',
      `${title} cannot leave ${offloads === 'nothing' ? 'layers' : 'experts alone'} to the CPU.`,
      'Start it with llama-server, or on devices that hold all of it.',
    )
  }
  return null
}

/** Numbers of fewer bits that keys and values are to be kept in; null where they have all of theirs. */
export function quantizedKv({
  kvCacheType,
}: Pick<LaunchRequest, 'kvCacheType'>): Exclude<KvCacheType, 'f16'> | null {
  return kvCacheType === 'f16' ? null : kvCacheType
}

/**
 * How many layers go to the GPU, in the way llama.cpp counts: from the last one backwards, the output
 * being one more.
 */
export function gpuLayers({ layerCount, layersOnHost }: Offload): number {
  return Math.max(0, layerCount - layersOnHost) + 1
}

/** The last part of a path with either slash, as some engines name a model after its directory. */
export function lastPathPart(path: string): string {
  return path.split(/[\\/]+/).findLast((part) => part !== '') ?? path
}
