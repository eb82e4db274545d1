/**
 * What a build of an engine runs on, as data: the compatibility solver reads it, and a launch is
 * refused by it. A fact that nobody has checked is left out, and then nothing is refused for it.
 * The builds themselves stand with their engines.
 */
import type { Runtime, Vendor } from '#core/device.ts'
import { isOlderVersion } from '#std/version.ts'

/** What an engine is built against. `level-zero` is Intel's GPUs, SYCL and OpenVINO included. */
export const backends = ['cuda', 'rocm', 'metal', 'vulkan', 'level-zero', 'cpu'] as const
export type Backend = (typeof backends)[number]

/** Backends of a vendor's devices, the one to prefer first. */
export const backendsOfVendor: Readonly<Record<Vendor, readonly Backend[]>> = {
  nvidia: ['cuda', 'vulkan'],
  amd: ['rocm', 'vulkan'],
  apple: ['metal'],
  intel: ['level-zero', 'vulkan'],
  other: ['vulkan'],
  cpu: ['cpu'],
}

export type OperatingSystem = 'linux' | 'macos' | 'windows'

export type LaunchKind = 'native' | 'container'

/**
 * How weights lie on the disk.
 *
 * `gguf`: llama.cpp's container. `safetensors`: files of tensors with the model's configuration
 * beside them. `mlx`: safetensors with MLX' quantization. `openvino`: IR of OpenVINO. `ggml`: the
 * older container, which whisper.cpp keeps. `ctranslate2`: faster-whisper. `ollama`: Ollama's own
 * store of blobs and manifests. `kokoro`, `xtts`: directories of those models.
 */
export const weightsFormats = [
  'gguf',
  'safetensors',
  'mlx',
  'openvino',
  'ggml',
  'ctranslate2',
  'ollama',
  'kokoro',
  'xtts',
] as const
export type WeightsFormat = (typeof weightsFormats)[number]

/**
 * Which architectures a build has code for. Names are those of `hardware/`: sm_89, gfx1151, apple9,
 * x86_64.
 */
export type ArchitectureRule =
  | { readonly kind: 'any' }
  /** Names of this prefix with a number in the range: `sm_` from 75. */
  | {
      readonly kind: 'range'
      readonly prefix: string
      readonly min: number
      readonly max?: number
    }
  | {
      readonly kind: 'names'
      readonly names: readonly string[]
      /**
       * Names without code of their own that run the code of a relative. A wrong relative crashes
       * or hangs: somebody has to want it.
       */
      readonly relatives?: Readonly<Record<string, ArchitectureRelative>>
    }

/** The architecture whose code another one runs, and the variable that makes it do so. */
export interface ArchitectureRelative {
  readonly architecture: string
  /** HSA_OVERRIDE_GFX_VERSION: it counts for every device of a process. */
  readonly variable: string
  readonly value: string
}

/** Oldest versions. A container brings its own CUDA or ROCm, and needs the driver alone. */
export interface Minimums {
  /** The kernel driver, whose numbers differ from system to system. */
  readonly drivers?: Readonly<Partial<Record<OperatingSystem, string>>>
  /** What the device offers of what the build is made for; `cuda` is what the driver can run. */
  readonly runtimes?: Readonly<Partial<Record<Runtime, string>>>
  readonly macos?: string
  /** Instruction sets of the CPU, in the words of `Device.features`. */
  readonly cpuFeatures?: readonly string[]
}

/** What some of the architectures of a build need beside the rest, or what is known of them. */
export interface BuildException {
  readonly architectures: ArchitectureRule
  /** Only for a CPU that has not got this instruction set. */
  readonly lacks?: string
  readonly minimums?: Minimums
  /** Why it runs worse there, as a clause. */
  readonly worse?: string
  readonly source: string
}

/** One build of an engine. The first that fits is the one to take. */
export interface Support {
  readonly backend: Backend
  readonly kinds: readonly LaunchKind[]
  readonly os: readonly OperatingSystem[]
  /** Releases of the engine that have it; absent for all of those that are supported. */
  readonly versions?: VersionRange
  readonly minimums: Minimums
  readonly architectures: ArchitectureRule
  readonly exceptions?: readonly BuildException[]
  /** What gives the devices to containers, and how to get it; absent where the default does. */
  readonly containerRuntime?: { readonly name: string; readonly install: string }
  /** Set for one that computes in large steps: much in all, and slow for each. */
  readonly tunedFor?: 'throughput'
  /** Where all this is from. */
  readonly source: string
}

export interface VersionRange {
  readonly from?: string
  readonly before?: string
}

/** Whether a build has code for a device. `unknown`: nobody knows the device's architecture. */
export type ArchitectureFit =
  | { readonly kind: 'runs' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'relative'; readonly relative: ArchitectureRelative }
  | { readonly kind: 'none'; readonly runs: string }

export function architectureFit(
  rule: ArchitectureRule,
  architecture: string | null,
): ArchitectureFit {
  if (rule.kind === 'any') return { kind: 'runs' }
  if (architecture === null) return { kind: 'unknown' }
  if (rule.kind === 'range') {
    const { prefix, min, max = Number.POSITIVE_INFINITY } = rule
    const number = architecture.startsWith(prefix)
      ? Number.parseInt(architecture.slice(prefix.length), 10)
      : Number.NaN
    if (number >= min && number <= max) return { kind: 'runs' }
    const upTo = Number.isFinite(max) ? ` to ${prefix}${max}` : ' and newer'
    return { kind: 'none', runs: `${prefix}${min}${upTo}` }
  }
  if (rule.names.includes(architecture)) return { kind: 'runs' }
  const { relatives = {} } = rule
  const relative = Object.hasOwn(relatives, architecture) ? relatives[architecture] : undefined
  if (relative !== undefined) return { kind: 'relative', relative }
  return { kind: 'none', runs: rule.names.join(', ') }
}

/** The same of devices that work together in one process: `at` is the index of the one it is about. */
export type ArchitecturesFit =
  | { readonly kind: 'runs' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'relative'; readonly at: number; readonly relative: ArchitectureRelative }
  | { readonly kind: 'none'; readonly at: number; readonly runs: string }
  /** Two values of one variable at once; or, where the second is null, one that needs none beside. */
  | {
      readonly kind: 'conflict'
      readonly variable: string
      readonly values: readonly [string, string | null]
      readonly architecture: string | null
    }

export function architecturesFit(
  rule: ArchitectureRule,
  architectures: readonly (string | null)[],
): ArchitecturesFit {
  const fits = architectures.map((architecture) => architectureFit(rule, architecture))
  for (const [at, fit] of fits.entries()) {
    if (fit.kind === 'none') return { ...fit, at }
  }
  const relatives = fits.flatMap((fit, at) =>
    fit.kind === 'relative' ? [{ at, relative: fit.relative }] : [],
  )
  const [first] = relatives
  if (first === undefined) {
    return { kind: fits.some(({ kind }) => kind === 'unknown') ? 'unknown' : 'runs' }
  }
  const { variable, value, architecture } = first.relative
  const other = relatives.find(({ relative }) => relative.value !== value)
  if (other !== undefined) {
    const values = [value, other.relative.value] as const
    return { kind: 'conflict', variable, values, architecture: architectures[other.at] ?? null }
  }
  // The variable counts for every device of the process; the relative itself is none the worse.
  const bystander = fits.findIndex(
    ({ kind }, at) => kind === 'runs' && architectures[at] !== architecture,
  )
  if (bystander >= 0) {
    const own = architectures[bystander] ?? null
    return { kind: 'conflict', variable, values: [value, null], architecture: own }
  }
  return { kind: 'relative', ...first }
}

/** The first build of the newest release for a backend that is started in this way; or null. */
export function findSupport(
  supports: readonly Support[],
  backend: Backend,
  kind: LaunchKind,
): Support | null {
  return (
    supports.find(
      (support) =>
        support.backend === backend &&
        support.kinds.includes(kind) &&
        isInRange(null, support.versions),
    ) ?? null
  )
}

/** A version that nobody knows is taken for the newest. */
export function isInRange(version: string | null, range: VersionRange | undefined): boolean {
  if (range === undefined) return true
  const { from, before } = range
  if (version === null) return before === undefined
  return (
    (from === undefined || !isOlderVersion(version, from)) &&
    (before === undefined || isOlderVersion(version, before))
  )
}
