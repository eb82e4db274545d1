/**
 * What a build of an engine runs on, as data: the compatibility solver reads it, and a launch is
 * refused by it. A fact that nobody has checked is left out, and then nothing is refused for it.
 * The builds themselves stand with their engines.
 */
import type { Vendor } from '#core/device.ts'

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
       * Names without code of their own that run the code of a relative, and the value of
       * HSA_OVERRIDE_GFX_VERSION that makes them. A wrong one crashes or hangs: somebody has to
       * want it.
       */
      readonly overrides?: Readonly<Record<string, string>>
      /** The ROCm that a name needs where it is newer than the minimum of the build. */
      readonly since?: Readonly<Record<string, string>>
    }

/** Oldest versions. A container brings its own CUDA or ROCm, and needs the driver alone. */
export interface Minimums {
  /** NVIDIA's kernel driver on Linux. */
  readonly driver?: string
  /** The CUDA that the driver must be able to run. */
  readonly cuda?: string
  readonly rocm?: string
  readonly vulkan?: string
  readonly macos?: string
  /** Instruction sets of the CPU, in the words of /proc/cpuinfo. */
  readonly cpuFeatures?: readonly string[]
}

/** One build of an engine. The first that fits is the one to take. */
export interface Support {
  readonly backend: Backend
  readonly kinds: readonly LaunchKind[]
  readonly os: readonly OperatingSystem[]
  readonly minimums: Minimums
  readonly architectures: ArchitectureRule
}

/** Whether a build has code for a device. `unknown`: nobody knows the device's architecture. */
export type ArchitectureFit =
  | { readonly kind: 'runs' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'overridden'; readonly gfxVersion: string }
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
  const { overrides = {} } = rule
  const gfxVersion = Object.hasOwn(overrides, architecture) ? overrides[architecture] : undefined
  if (gfxVersion !== undefined) return { kind: 'overridden', gfxVersion }
  return { kind: 'none', runs: rule.names.join(', ') }
}

/** The first build for a backend that is started in this way; null when there is none. */
export function findSupport(
  supports: readonly Support[],
  backend: Backend,
  kind: LaunchKind,
): Support | null {
  return (
    supports.find((support) => support.backend === backend && support.kinds.includes(kind)) ?? null
  )
}
