/** What the solver is asked, and the contract of its checks. */
import type { Capability, CompatibilityCheck, Finding } from '#core/compatibility.ts'
import type { Targets } from '#core/deployment.ts'
import type { Device } from '#core/device.ts'
import type {
  Backend,
  LaunchKind,
  OperatingSystem,
  Support,
  WeightsFormat,
} from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { Task } from '#core/task.ts'
import type { ContainerSoftware, InstalledEngine } from '#placement/inventory.ts'

/** Of a node, what compatibility depends on. A null fact is unknown, and refuses nothing. */
export interface CompatibilityNode {
  readonly os: OperatingSystem
  readonly osVersion: string | null
  readonly containers: ContainerSoftware | null
  readonly engines: readonly InstalledEngine[] | null
  /** All of them, not only those that are asked about. */
  readonly devices: readonly Device[]
}

/** Null where the question is not about it: an engine without a model, a model without a target. */
export interface CompatibilityQuestion {
  readonly engine: Omit<EngineFacts, 'memory'>
  readonly backend: Backend
  readonly kind: LaunchKind
  readonly node: CompatibilityNode
  /** At least one: they serve one replica together. */
  readonly devices: readonly Device[]
  readonly format: WeightsFormat | null
  readonly model: ModelFacts | null
  readonly task: Task | null
  /** Kernels and numbers that somebody has asked for, beside what the weights ask. */
  readonly features: readonly Capability[]
  readonly targets: Pick<Targets, 'ttftMs' | 'tpotMs' | 'bestEffort'> | null
}

/**
 * One concern. It looks at a build, or at no build where none comes into question, and says all that
 * it sees. A fact that is unknown gives `unverified` and never `blocks`.
 */
export interface Check {
  readonly name: CompatibilityCheck
  readonly find: (question: CompatibilityQuestion, build: Support | null) => readonly Found[]
}

export type Found = Omit<Finding, 'check'>
