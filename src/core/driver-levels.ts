/**
 * What drivers of GPUs run and whose code GPUs can borrow, whatever the engine. The data stands with
 * the engines; `motley doctor` reads it as well, so that both say the same of a node.
 */
import type { ArchitectureRelative, OperatingSystem } from '#core/engine-build.ts'

export interface DriverLevels {
  /** By the first version of each family, the oldest drivers that run all of it. */
  readonly cudaFamilies: readonly {
    readonly cuda: string
    readonly drivers: Readonly<Partial<Record<OperatingSystem, string>>>
  }[]
  /** The newest CUDA that each branch of drivers runs, the oldest first. */
  readonly driverBranches: readonly { readonly branch: number; readonly cuda: string }[]
  /** Architectures that most libraries have no code for, and the one whose code each can run. */
  readonly relatives: Readonly<Record<string, ArchitectureRelative>>
}
