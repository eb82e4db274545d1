/**
 * Measures what each replica takes of the memory of its devices: once for each engine, when it is
 * ready. What is measured corrects the estimate of the next plan.
 */
import { engineVersionOf, quantizationIn } from '#agent/benchmark-replica.ts'
import { deviceKey, devicesOf } from '#agent/device-key.ts'
import type { PageFetcher } from '#agent/page-fetcher.ts'
import { groupMemory } from '#agent/replicas/group-memory.ts'
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import { takenMemory } from '#agent/taken-memory.ts'
import type { Device } from '#core/device.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import type { MeasuredMemory } from '#protocol/agent-messages.ts'

export interface MemoryOptions {
  readonly supervisor: Pick<Supervisor, 'list' | 'specOf' | 'onChange'>
  /** All devices as they are now. */
  readonly detect: () => Promise<readonly Device[]>
  readonly fetchPage: PageFetcher
  readonly onChange: () => void
  readonly log: (line: string) => void
}

interface Before {
  used: ReadonlyMap<string, number>
  /** No other replica has come, gone or loaded since: the difference is its own. */
  isAlone: boolean
}

export class ReplicaMemory {
  readonly #options: MemoryOptions
  /** By the process that was measured; null while that goes on, or where nothing could be. */
  readonly #measured = new Map<ReplicaId, { readonly pid: number; memory: MeasuredMemory | null }>()
  readonly #before = new Map<ReplicaId, Before>()
  readonly #stopListening: () => void
  #closed = false

  /** Engines that are ready already have answered requests: how they were at load nobody knows. */
  constructor(options: MemoryOptions) {
    this.#options = options
    for (const { id, pid, state } of options.supervisor.list()) {
      if (state === 'ready' && pid !== null) this.#measured.set(id, { pid, memory: null })
    }
    this.#stopListening = options.supervisor.onChange((status) => this.#note(status))
  }

  /** Null until it is measured. */
  of(id: string): MeasuredMemory | null {
    return this.#measured.get(replicaId(id))?.memory ?? null
  }

  /** To be called before it is started for the first time. */
  async noteBefore(id: ReplicaId): Promise<void> {
    const before: Before = { used: new Map(), isAlone: true }
    this.#before.set(id, before)
    const devices = await this.#options.detect()
    const used = devices.flatMap((device) =>
      device.usedMemoryBytes === null ? [] : [[deviceKey(device), device.usedMemoryBytes] as const],
    )
    before.used = new Map(used)
  }

  close(): void {
    this.#closed = true
    this.#stopListening()
  }

  #note(status: ReplicaStatus): void {
    const { id, pid, state } = status
    for (const [other, before] of this.#before) if (other !== id) before.isAlone = false
    if (this.#measured.get(id)?.pid !== pid) this.#measured.delete(id)
    if (state === 'stopped' || state === 'failed') this.#before.delete(id)
    if (state !== 'ready' || pid === null || this.#measured.has(id)) return
    this.#measured.set(id, { pid, memory: null })
    void this.#measure(id, pid)
  }

  /** Never rejects. */
  async #measure(id: ReplicaId, pid: number): Promise<void> {
    const { supervisor, detect, fetchPage, onChange, log } = this.#options
    const before = this.#before.get(id)
    try {
      const { about, port, plan } = supervisor.specOf(id)
      const [processes, allDevices, engineVersion] = await Promise.all([
        plan.container === null ? groupMemory(pid) : null,
        detect(),
        engineVersionOf({ port, about, fetchPage }),
      ])
      const devices = takenMemory({
        devices: devicesOf(allDevices, about['devices'] ?? ''),
        allDevices,
        usedBefore: before?.isAlone === true ? before.used : null,
        processes,
      })
      const measured = this.#measured.get(id)
      if (this.#closed || measured?.pid !== pid || devices.length === 0) return
      measured.memory = {
        engineVersion: engineVersion?.slice(0, 200) ?? null,
        quantization: quantizationIn(about['weights'] ?? ''),
        contextTokens: countIn(about['contextTokens']),
        slots: countIn(about['slots']),
        weightsBytes: countIn(about['weightsBytes']),
        devices,
      }
      onChange()
    } catch (error) {
      log(`what ${id} takes of memory cannot be measured: ${(error as Error).message}`)
    } finally {
      if (this.#before.get(id) === before) this.#before.delete(id)
    }
  }
}

/** Null for what an agent of before did not write down. */
function countIn(text: string | undefined): number | null {
  const count = Number(text)
  return text !== undefined && Number.isInteger(count) && count > 0 ? count : null
}
