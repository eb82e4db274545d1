/**
 * A deployment is what a user wants to run: a model, how many replicas of it, how fast they must be
 * and where they may be. Placement turns deployments into replicas on devices.
 */
import type { Backend, WeightsFormat } from '#core/engine-build.ts'
import type { KvCacheType } from '#core/engine-memory.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { Task } from '#core/task.ts'

/** From the one that gives way first to the one that stays longest. */
export const priorities = ['low', 'normal', 'high', 'critical'] as const
export type Priority = (typeof priorities)[number]

/** As in Kubernetes: `NoSchedule` keeps new replicas away, `NoExecute` moves running ones as well. */
export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const
export type TaintEffect = (typeof taintEffects)[number]

/** Keeps replicas off a node unless their deployment tolerates it; written `key=value:effect`. */
export interface Taint {
  readonly key: string
  readonly value: string | null
  readonly effect: TaintEffect
}

/** A null field tolerates any value, or any effect. */
export interface Toleration {
  readonly key: string
  readonly value: string | null
  readonly effect: TaintEffect | null
}

/** One way to have the model as files. The engine that reads it decides on which devices it runs. */
export interface ModelVariant {
  /** hf:…, https:…, file:…, node:… */
  readonly source: string
  readonly format: WeightsFormat
  /** Engines that may serve it, by id; null for any that can. */
  readonly engines: readonly string[] | null
  /** What its headers say; null until somebody has read them. */
  readonly facts: ModelFacts | null
}

/** What the replicas are for. A null target is not asked for. */
export interface Targets {
  /** Time to first token of one prompt of the length that is expected. */
  readonly ttftMs: number | null
  /** Time per output token of one answer while the replica is busy. */
  readonly tpotMs: number | null
  /** Output tokens a second of all replicas together. */
  readonly tokensPerSecond: number | null
  /** From the wish to the first answer: weights on their way and their loading included. */
  readonly startMs: number | null
  /** Whether a place that misses a target is better than none. Without it there is no replica then. */
  readonly bestEffort: boolean
}

export interface Constraints {
  /** Null for any. */
  readonly backends: readonly Backend[] | null
  readonly engines: readonly string[] | null
  /** Names of nodes; null for any. */
  readonly nodes: readonly string[] | null
  /** Labels a node must have. */
  readonly labels: Readonly<Record<string, string>>
  /** The least memory that each device must have. */
  readonly minVramBytes: number | null
  readonly tolerations: readonly Toleration[]
  /** Deployments that must not be on the same node; its own name spreads its replicas. */
  readonly awayFrom: readonly string[]
}

export interface Deployment {
  readonly name: string
  readonly task: Task
  /** The logical model: what clients ask for. */
  readonly model: string
  /** Best first, where several suit a device alike. */
  readonly variants: readonly ModelVariant[]
  /** `min` 0: it may sleep, and is woken by a request. */
  readonly replicas: { readonly min: number; readonly max: number }
  /** Null: what the model was trained for, or less where that does not fit. */
  readonly contextTokens: number | null
  /** Requests at a time; null: what the engine usually has. */
  readonly slots: number | null
  /**
   * Numbers that keys and values may be kept in, the one to prefer first. Left out or null: what each
   * engine has by itself, 16 bit. Fewer bits change answers, so nobody but its owner decides for them.
   */
  readonly kvCacheTypes?: readonly KvCacheType[] | null
  /**
   * Whether layers that do not fit may be left to the CPU. Such a replica is slower by an order of
   * magnitude, so there is none unless its owner wants it.
   */
  readonly offload?: boolean
  readonly targets: Targets
  readonly constraints: Constraints
  readonly priority: Priority
  /** Whether its devices may hold other replicas as well, its own or those of others that share. */
  readonly share: boolean
}
