/**
 * Whether an engine runs a model on some devices, and why not: the rules that say so, as data, and
 * what the solver in `placement/` finds with them. The rules themselves stand with the engines.
 */
import type { Device } from '#core/device.ts'
import type { ArchitectureRule, Backend, LaunchKind, Support } from '#core/engine-build.ts'

/** What weights or a setting ask of an engine and its devices: numbers to compute with, kernels. */
export const capabilities = [
  'bf16',
  'fp16',
  'fp8',
  'fp8-kv-cache',
  'int8',
  'awq',
  'gptq',
  'bitsandbytes',
  'mxfp4',
  'nvfp4',
  'exl',
  'mlx-quantized',
  'gguf',
  'flash-attention',
  'flash-attention-2',
  'flash-attention-3',
  'flashinfer',
  'triton-attention',
  'aiter',
] as const
export type Capability = (typeof capabilities)[number]

/** What a capability is to the devices of a backend. The first rule that matches a device counts. */
export interface CapabilityRule {
  readonly backend: Backend
  readonly architectures: ArchitectureRule
  /** Only for a CPU that has one of these instruction sets. */
  readonly cpuFeatures?: readonly string[]
  /** What has to be set, and why; absent where nothing has. */
  readonly setting?: Setting
  /** Why it is worse there than it should be, as a clause; absent where it is not. */
  readonly worse?: string
}

/** All that an engine has of a capability. A device that no rule matches has none of it. */
export interface CapabilityFacts {
  readonly capability: Capability
  /** As people write it. */
  readonly title: string
  readonly rules: readonly CapabilityRule[]
  /** What to use where there is none of it. */
  readonly instead: string | null
  readonly source: string
}

export type LinkKind = Device['links'][number]['kind']

/** What to know of replicas whose devices exchange every layer over such a link. */
export interface LinkRule {
  readonly backend: Backend
  readonly link: LinkKind
  /** Only for devices whose names have this in them. */
  readonly names?: RegExp
  readonly code: 'no-peer-to-peer' | 'slow-interconnect'
  readonly what: string
  readonly advice: string | null
  readonly source: string
}

/** Everything that speaks for and against an engine, whatever the model. */
export interface EngineCompatibility {
  /** Builds of it and what each runs on, the one to prefer first; empty when Motley starts none. */
  readonly supports: readonly Support[]
  /** A capability that has no entry is one that nobody has looked into. */
  readonly capabilities: readonly CapabilityFacts[]
  readonly links: readonly LinkRule[]
}

/** Checks of the solver, what decides most first: what nobody can mend before what one can. */
export const compatibilityChecks = [
  'os',
  'backend',
  'architecture',
  'format',
  'quantization',
  'feature',
  'task',
  'spread',
  'interconnect',
  'driver',
  'runtime-level',
  'cpu-features',
  'container-runtime',
  'installed',
  'latency',
  'cpu-fallback',
] as const
export type CompatibilityCheck = (typeof compatibilityChecks)[number]

/** What was found, by a name that keeps its meaning: `motley why-not` prints it. */
export const findingCodes = [
  'wrong-os',
  'backend-missing',
  /** Built for CUDA alone, and placed elsewhere, or on the CPU beside a GPU that it cannot use. */
  'cuda-assumption',
  'architecture-unsupported',
  'architecture-relative',
  'relative-conflict',
  'architecture-limited',
  'format-unsupported',
  /** Kernels for this quantization, or this feature, are not there for the devices. */
  'kernel-mismatch',
  'kernel-degraded',
  'kernel-setting',
  'task-unsupported',
  /** The engine could, and the model is made for something else. */
  'task-mismatch',
  'devices-differ',
  'vendors-mixed',
  'slices-apart',
  'single-device',
  'heads-do-not-divide',
  'no-peer-to-peer',
  'slow-interconnect',
  'driver-too-old',
  'runtime-mismatch',
  'cpu-feature-missing',
  'no-container-software',
  'container-without-device',
  'not-installed',
  'latency-on-throughput',
  'not-verified',
] as const
export type FindingCode = (typeof findingCodes)[number]

/** What it is called to forget that an engine is built for one backend alone, where it has a name. */
export const assumptionCodes: Readonly<Partial<Record<Backend, FindingCode>>> = {
  cuda: 'cuda-assumption',
}

export interface Setting {
  /** As one writes it: a variable, an option of the engine, a package. */
  readonly set: string
  readonly why: string
  /** Where it does not suit the device, the engine crashes or hangs. */
  readonly isRisky?: true
}

/** One thing that a check found. */
export interface Finding {
  readonly check: CompatibilityCheck
  readonly code: FindingCode
  /**
   * `blocks`: it cannot run. `setting`: it runs when this is set. `warning`: it runs, and worse than
   * one would think. `unverified`: it should run, and a fact that would prove it is unknown.
   */
  readonly kind: 'blocks' | 'setting' | 'warning' | 'unverified'
  /** One clause with its numbers. */
  readonly what: string
  readonly unlockedBy: string | null
  readonly setting: Setting | null
  /** Where an amount is too much: how many times. */
  readonly excess?: number
}

export type Compatibility =
  | {
      /** With `settings`, where there are any. Unknown facts are among the notes, and refuse nothing. */
      readonly kind: 'runs'
      readonly build: Support
      readonly settings: readonly Setting[]
      readonly notes: readonly Finding[]
    }
  | {
      readonly kind: 'blocked'
      /** All that speaks against it, the most decisive first; then what else was noticed. */
      readonly findings: readonly Finding[]
    }

/** One way to start an engine, and what comes of it. */
export interface CompatibleWay {
  readonly backend: Backend
  readonly kind: LaunchKind
  readonly compatibility: Compatibility
}
