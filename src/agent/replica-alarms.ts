/**
 * What is wrong with replicas that run: what their engines wrote about it, and what a benchmark
 * showed. Kept in a file, for the next agent and for `motley doctor`: an engine outlives its agent.
 */
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import { readStoredAlarms, writeAlarms } from '#agent/stored-alarms.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import { readAlarms } from '#engines/engine-alarms.ts'
import { engines } from '#engines/index.ts'
import type { Clock } from '#std/clock.ts'

export interface AlarmsOptions {
  /** Of the agent. */
  readonly directory: string
  readonly supervisor: Pick<Supervisor, 'list' | 'specOf' | 'logs' | 'launchOffset' | 'onChange'>
  readonly clock: Clock
  readonly onChange: () => void
  /** Each alarm once, when it is raised, for people. */
  readonly log: (line: string) => void
}

/** A log is looked at again, since an engine may load, or load again, when it is asked. */
const readAgainMs = 30_000

/** A replica has some; hundreds would be a pattern that matches what is no alarm. */
const alarmsMax = 8
const alarmCharactersMax = 500

interface Watched {
  readonly pid: number
  fromLog: readonly string[]
  fromBenchmark: string | null
  /** Up to where its log was read. */
  offset: number
  reading: boolean
}

export class ReplicaAlarms {
  readonly #options: AlarmsOptions
  readonly #watched = new Map<ReplicaId, Watched>()
  readonly #stopListening: () => void
  #cancelNext = (): void => {}
  #closed = false
  #written = ''

  /** Takes up what the agent before wrote down of engines that still run. */
  constructor(options: AlarmsOptions) {
    this.#options = options
    const before = readStoredAlarms(options.directory)
    for (const status of options.supervisor.list()) {
      const known = before.find(({ replica, pid }) => replica === status.id && pid === status.pid)
      if (known !== undefined) this.#watch(status, known)
    }
    this.#stopListening = options.supervisor.onChange((status) => this.#note(status))
    for (const status of options.supervisor.list()) this.#note(status)
    this.#readLater()
  }

  /** Of an engine that runs; empty when all is well. */
  of(id: string): readonly string[] {
    const watched = this.#watched.get(replicaId(id))
    if (watched === undefined) return []
    const { fromLog, fromBenchmark } = watched
    return fromBenchmark === null ? fromLog : [...fromLog, fromBenchmark]
  }

  /** What the newest benchmark showed; null when all is well. */
  noteBenchmark(id: ReplicaId, alarm: string | null): void {
    const watched = this.#watched.get(id)
    if (watched === undefined || watched.fromBenchmark === alarm) return
    watched.fromBenchmark = alarm
    if (alarm !== null) this.#options.log(`${id}: ${alarm}`)
    this.#changed()
  }

  close(): void {
    this.#closed = true
    this.#cancelNext()
    this.#stopListening()
  }

  #note(status: ReplicaStatus): void {
    const watched = this.#watched.get(status.id)
    if (watched !== undefined && watched.pid !== status.pid) {
      this.#watched.delete(status.id)
      this.#changed()
    }
    if (status.state !== 'ready' || status.pid === null) return
    if (!this.#watched.has(status.id)) this.#watch(status, { fromLog: [], fromBenchmark: null })
    void this.#read(status.id)
  }

  #watch(
    { id, pid }: ReplicaStatus,
    known: { readonly fromLog: readonly string[]; readonly fromBenchmark: string | null },
  ): void {
    if (pid === null) return
    const { fromLog, fromBenchmark } = known
    const offset = this.#options.supervisor.launchOffset(id)
    this.#watched.set(id, { pid, fromLog, fromBenchmark, offset, reading: false })
  }

  #readLater(): void {
    this.#cancelNext = this.#options.clock.schedule(readAgainMs, () => {
      for (const { id, state } of this.#options.supervisor.list()) {
        if (state === 'ready') void this.#read(id)
      }
      this.#readLater()
    })
  }

  /** On from where it was read before; never rejects. */
  async #read(id: ReplicaId): Promise<void> {
    const { supervisor, log } = this.#options
    const watched = this.#watched.get(id)
    if (watched === undefined || watched.reading) return
    const { about } = supervisor.specOf(id)
    const engine = engines.find(({ id }) => id === about['engine'])
    const isPlanned = about['offload'] !== undefined
    const alarms = (engine?.alarms ?? []).filter((one) => !(isPlanned && one.isOffload))
    // There, computing on the CPU is what was asked for.
    if (alarms.length === 0 || about['backend'] === 'cpu') return
    watched.reading = true
    try {
      for (;;) {
        const { text, nextOffset } = await supervisor.logs(id, watched.offset)
        if (this.#closed || this.#watched.get(id) !== watched) return
        const found = readAlarms(alarms, text)
          .map((alarm) => alarm.slice(0, alarmCharactersMax))
          .filter((alarm) => !watched.fromLog.includes(alarm))
        watched.fromLog = [...watched.fromLog, ...found].slice(0, alarmsMax)
        for (const alarm of found) log(`${id}: ${alarm}`)
        if (found.length > 0) this.#changed()
        if (nextOffset === watched.offset) return
        watched.offset = nextOffset
      }
    } catch (error) {
      log(`the log of ${id} cannot be read for alarms: ${(error as Error).message}`)
    } finally {
      watched.reading = false
    }
  }

  #changed(): void {
    const { directory, onChange, log } = this.#options
    const entries = [...this.#watched].map(([replica, { pid, fromLog, fromBenchmark }]) => ({
      replica,
      pid,
      fromLog,
      fromBenchmark,
    }))
    const text = JSON.stringify(entries, null, 2)
    if (text !== this.#written) {
      this.#written = text
      try {
        writeAlarms(directory, text)
      } catch (error) {
        log(`alarms cannot be written down: ${(error as Error).message}`)
      }
    }
    onChange()
  }
}
