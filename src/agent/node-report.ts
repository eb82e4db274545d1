/**
 * What placement wants to know of a node beside its devices: engines that could be started, weights
 * that are here, room for more, and how fast both came when they last did.
 */
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import type { Inventory } from '#hardware/detect.ts'
import {
  type ReportedContainers,
  type ReportedEngine,
  type ReportedInventory,
  reportedWeightsMax,
} from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'
import type { WeightsStore } from '#weights/store.ts'

export interface NodeReportOptions {
  readonly store: Pick<WeightsStore, 'models' | 'freeBytes'>
  readonly supervisor: Pick<Supervisor, 'onChange' | 'specOf'>
  readonly findEngines: () => Promise<FoundSoftware>
  readonly clock: Clock
  /** See `machine-mark.ts`; null where nobody can tell. */
  readonly machine?: string | null
  /** That a recording of a machine is shown in place of one. */
  readonly isRecording?: boolean
  /** Called when a replica has come or gone: then memory is used in another way. */
  readonly onReplicasMoved: () => void
}

export interface FoundSoftware {
  readonly containers: ReportedContainers
  readonly engines: readonly ReportedEngine[]
}

/**
 * What is brought or loaded must take long enough that opening connections and starting a process
 * do not count: a quarter of a second of a good disk, some seconds of a slow line.
 */
const measuredBytesMin = 128 * 2 ** 20

export class NodeReport {
  readonly #options: NodeReportOptions
  readonly #stopListening: () => void
  /** When the process of each replica was started. */
  readonly #startedAtMs = new Map<string, number>()
  #software: FoundSoftware | null = null
  #weights: readonly string[] = []
  #freeDiskBytes: number | null = null
  #diskBytesPerSecond: number | null = null
  #networkBytesPerSecond: number | null = null

  constructor(options: NodeReportOptions) {
    this.#options = options
    this.#stopListening = options.supervisor.onChange((status) => this.#note(status))
  }

  /** Looks again. Rejects never: what cannot be read stays as it was. */
  async look(): Promise<void> {
    const { store, findEngines } = this.#options
    const [software, models, freeBytes] = await Promise.all([
      findEngines(),
      store.models().catch(() => null),
      store.freeBytes().catch(() => null),
    ])
    this.#software = software
    if (models !== null) {
      this.#weights = models.slice(0, reportedWeightsMax).map(({ reference }) => reference)
    }
    this.#freeDiskBytes = freeBytes ?? this.#freeDiskBytes
  }

  /** Empty before the first look is over. */
  get installed(): readonly ReportedEngine[] {
    return this.#software?.engines ?? []
  }

  noteTransfer(bytes: number, ms: number): void {
    if (bytes >= measuredBytesMin && ms > 0) this.#networkBytesPerSecond = rateOf(bytes, ms)
  }

  with(inventory: Inventory): ReportedInventory {
    return {
      ...inventory,
      containers: this.#software?.containers ?? null,
      engines: this.#software === null ? null : [...this.#software.engines],
      weights: [...this.#weights],
      freeDiskBytes: this.#freeDiskBytes,
      diskBytesPerSecond: this.#diskBytesPerSecond,
      networkBytesPerSecond: this.#networkBytesPerSecond,
      ...(this.#options.machine == null ? {} : { machine: this.#options.machine }),
      ...(this.#options.isRecording ? { isRecording: true } : {}),
    }
  }

  close(): void {
    this.#stopListening()
  }

  #note({ id, state }: ReplicaStatus): void {
    const { clock, supervisor, onReplicasMoved } = this.#options
    if (state === 'starting') {
      if (!this.#startedAtMs.has(id)) this.#startedAtMs.set(id, clock.nowMs())
      return
    }
    if (state === 'loading') return
    const startedAtMs = this.#startedAtMs.get(id)
    if (state === 'ready' && startedAtMs !== undefined) {
      const bytes = Number(supervisor.specOf(id).about['weightsBytes'] ?? 0)
      const ms = clock.nowMs() - startedAtMs
      if (bytes >= measuredBytesMin && ms > 0) this.#diskBytesPerSecond = rateOf(bytes, ms)
    }
    this.#startedAtMs.delete(id)
    onReplicasMoved()
  }
}

function rateOf(bytes: number, ms: number): number {
  return Math.round((bytes * 1_000) / ms)
}
