/**
 * One replica: does what its state machine asks for and tells it what happened. What the next
 * supervisor needs to find an engine is on the disk before the engine is started.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { containerErrors } from '#agent/replicas/container-command.ts'
import {
  type EngineEnd,
  type EngineLaunch,
  type EngineLauncher,
  LaunchError,
  PortTakenError,
  type RunningEngine,
} from '#agent/replicas/engine-launcher.ts'
import { explainExit } from '#agent/replicas/exit-meaning.ts'
import { LogFile, type LogPage, lastLines } from '#agent/replicas/log-file.ts'
import {
  newReplicaMachine,
  type ProbeVerdict,
  type ReplicaEvent,
  type ReplicaMachine,
  resumedMachine,
  stepReplica,
} from '#agent/replicas/replica-machine.ts'
import { type ReplicaRecord, removeRecord, writeRecord } from '#agent/replicas/replica-record.ts'
import { type ReplicaSpec, SupervisionError, secretsOf } from '#agent/replicas/replica-spec.ts'
import type { ReplicaExit, ReplicaStatus } from '#core/replica.ts'
import type { Clock } from '#std/clock.ts'

/** Null where nobody knows one now. */
export type AnotherPort = (spec: ReplicaSpec) => Promise<ReplicaSpec | null>

export interface ReplicaTools {
  /** Of records and logs. */
  readonly directory: string
  readonly launcher: EngineLauncher
  readonly probe: (spec: ReplicaSpec, signal: AbortSignal) => Promise<ProbeVerdict>
  readonly atAnotherPort: AnotherPort
  readonly warn: (message: string) => void
  readonly clock: Clock
  readonly logBytesMax?: number
  readonly changed: (status: ReplicaStatus) => void
}

/** Soon enough that no one waits for a model that is there. */
const probeMs = 500

/** Once it is ready, those who send requests notice sooner than any probe what is wrong. */
const probeMsReady = 5_000

/** An engine that writes 10 MB/s, which none does in peace, exceeds its bound by as much. */
const boundLogMs = 1_000

/** A full disk stays full for a while, and one warning a minute is heard. */
const boundLogMsBroken = 60_000

/** Enough for the end of a Python traceback and what the engine says after it. */
const lastWordsLinesMax = 20

export class SupervisedReplica {
  readonly #tools: ReplicaTools
  readonly #log: LogFile
  #spec: ReplicaSpec
  #machine: ReplicaMachine
  #launchId: string | null
  #mark: ReplicaRecord['mark']
  #logOffset: number
  #lastExit: ReplicaExit | null
  #engine: RunningEngine | null = null
  #closed = false
  /** The record as it was last given to the disk, and the writes under way. */
  #written = ''
  #writes: Promise<boolean> = Promise.resolve(true)
  /** Launches and what follows an end; a close waits for them. */
  readonly #working = new Set<Promise<void>>()
  readonly #goneWaiters = new Set<{
    readonly resolve: () => void
    readonly reject: (error: SupervisionError) => void
  }>()
  #cancelDue = (): void => {}
  #dueAtMs: number | null = null
  #watching = new AbortController()

  private constructor(
    spec: ReplicaSpec,
    tools: ReplicaTools,
    log: LogFile,
    record: ReplicaRecord | null,
  ) {
    const nowMs = tools.clock.nowMs()
    this.#tools = tools
    this.#log = log
    this.#spec = spec
    this.#machine =
      record === null ? newReplicaMachine(nowMs) : resumedMachine(record.machine, nowMs)
    this.#launchId = record?.launchId ?? null
    this.#mark = record?.mark ?? null
    this.#logOffset = record?.logOffset ?? 0
    this.#lastExit = record?.lastExit ?? null
  }

  /** With a record: takes over what it tells of. */
  static async open(
    spec: ReplicaSpec,
    tools: ReplicaTools,
    record: ReplicaRecord | null,
  ): Promise<SupervisedReplica> {
    const log = await LogFile.open({
      path: join(tools.directory, `${spec.id}.log`),
      secrets: secretsOf(spec),
      ...(tools.logBytesMax === undefined ? {} : { bytesMax: tools.logBytesMax }),
    })
    const replica = new SupervisedReplica(spec, tools, log, record)
    await log.bound()
    await replica.#takeOver()
    return replica
  }

  get spec(): ReplicaSpec {
    return this.#spec
  }

  /** Where in its log the newest launch begins. */
  get launchOffset(): number {
    return this.#logOffset
  }

  /** Whether a process of it runs or will be started by itself. */
  get mayRun(): boolean {
    const { state } = this.#machine
    return state !== 'stopped' && state !== 'failed'
  }

  get status(): ReplicaStatus {
    const { state, sinceMs, process, restarts, dueAtMs } = this.#machine
    const nowMs = this.#tools.clock.nowMs()
    return {
      id: this.#spec.id,
      state,
      inStateMs: Math.max(0, nowMs - sinceMs),
      pid: this.#mark?.pid ?? null,
      port: this.#spec.port,
      restarts,
      retryInMs: process === 'none' && dueAtMs !== null ? Math.max(0, dueAtMs - nowMs) : null,
      lastExit: this.#lastExit,
    }
  }

  /** Resolves with whether it is written down; it is started all the same. */
  async start(spec: ReplicaSpec): Promise<boolean> {
    this.#spec = spec
    this.#log.hide(secretsOf(spec))
    this.#apply({ kind: 'start' })
    return await this.#save()
  }

  async stop(): Promise<void> {
    this.#apply({ kind: 'stop', graceMs: this.#spec.stop.graceMs })
    await this.#save()
  }

  /** Resolves when nothing of it runs that was told to stop; rejects when it is closed before. */
  gone(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#machine.state !== 'stopping') resolve()
      else if (this.#closed) reject(this.#closedTooSoon())
      else this.#goneWaiters.add({ resolve, reject })
    })
  }

  logs(after: number | null, limitBytes?: number): Promise<LogPage> {
    return this.#log.read(after, limitBytes)
  }

  async forget(): Promise<void> {
    await this.close()
    await removeRecord(this.#tools.directory, this.#spec.id)
    await this.#log.remove()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelDue()
    this.#watching.abort()
    while (this.#working.size > 0) await Promise.all(this.#working)
    this.#engine?.release()
    await this.#writes
    for (const { reject } of this.#goneWaiters) reject(this.#closedTooSoon())
  }

  #closedTooSoon(): SupervisionError {
    return new SupervisionError(
      `Replica ${this.#spec.id} still runs; the next supervisor goes on stopping it.`,
    )
  }

  #apply(event: ReplicaEvent): void {
    const before = this.#machine
    const { machine, actions } = stepReplica(before, event, this.#tools.clock.nowMs())
    this.#machine = machine
    this.#scheduleDue()
    for (const { kind } of actions) {
      if (kind === 'spawn') this.#work(this.#launch())
      else this.#work(this.#signal(kind === 'kill' ? 'SIGKILL' : this.#spec.stop.signal))
    }
    void this.#save()
    if (machine.state !== before.state || machine.process !== before.process) {
      this.#tools.changed(this.status)
    }
    if (machine.state !== 'stopping') {
      for (const { resolve } of this.#goneWaiters) resolve()
      this.#goneWaiters.clear()
    }
  }

  /** Work that fails is a bug; it is told, and does not take the other replicas along. */
  #work(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#tools.warn(`Replica ${this.#spec.id}: ${String(error)}`))
      .finally(() => this.#working.delete(done))
    this.#working.add(done)
  }

  #scheduleDue(): void {
    const { dueAtMs } = this.#machine
    if (dueAtMs === this.#dueAtMs) return
    this.#cancelDue()
    this.#dueAtMs = dueAtMs
    if (dueAtMs === null || this.#closed) return
    const { clock } = this.#tools
    this.#cancelDue = clock.schedule(Math.max(0, dueAtMs - clock.nowMs()), () => {
      this.#dueAtMs = null
      if (!this.#closed) this.#apply({ kind: 'time' })
    })
  }

  async #launch(): Promise<void> {
    let engine: RunningEngine | null
    try {
      this.#logOffset = await this.#log.endOffset()
      engine = await this.#launchAtItsPort().catch(async (error: unknown) => {
        if (!(error instanceof PortTakenError) || !(await this.#move())) throw error
        return await this.#launchAtItsPort()
      })
    } catch (error) {
      this.#onNotLaunched(error)
      return
    }
    // The next supervisor finds nothing that runs, and starts it.
    if (engine === null && this.#closed) return
    if (engine === null) {
      this.#apply({ kind: 'ended', permanent: false })
      return
    }
    this.#mark = engine.mark
    await this.#save()
    this.#watch(engine, this.#tools.clock)
    this.#apply({ kind: 'spawned' })
  }

  /** Null when it is not to be started any more. */
  async #launchAtItsPort(): Promise<RunningEngine | null> {
    this.#launchId = randomUUID()
    // Before the engine runs: from here on it is found, whenever we die.
    if (!(await this.#save())) {
      throw new LaunchError('It cannot be written down that it starts.', {
        fix: 'See that there is room on the disk of MOTLEY_DATA_DIR.',
      })
    }
    if (this.#closed || this.#machine.state === 'stopping') return null
    this.#note(`starts ${this.#spec.plan.command} (start ${this.#machine.restarts + 1})`)
    return await this.#tools.launcher.launch(this.#asLaunch(this.#launchId))
  }

  /** Somebody else has its port and may keep it. Resolves with whether it has another now. */
  async #move(): Promise<boolean> {
    const { atAnotherPort, warn } = this.#tools
    const { id, port } = this.#spec
    try {
      const moved = await atAnotherPort(this.#spec)
      if (moved === null) return false
      this.#spec = moved
      this.#note(`port ${port} is taken by another program: listens at ${moved.port} from now on`)
      return true
    } catch (error) {
      warn(`Replica ${id} stays at port ${port}, which is taken: ${(error as Error).message}`)
      return false
    }
  }

  #asLaunch(launchId: string): EngineLaunch {
    const { id, plan, port } = this.#spec
    return { id, plan, port, log: this.#log, launchId }
  }

  #onNotLaunched(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    const launchError = error instanceof LaunchError ? error : null
    this.#lastExit = {
      atMs: this.#tools.clock.nowMs(),
      code: null,
      signal: null,
      lastWords: [],
      meaning: message,
      fix: launchError?.fix ?? null,
    }
    this.#apply({ kind: 'ended', permanent: launchError?.permanent ?? false })
  }

  /** What was running when the last supervisor ended runs on, or has ended meanwhile. */
  async #takeOver(): Promise<void> {
    if (this.#machine.process === 'none' || this.#launchId === null) {
      this.#scheduleDue()
      return
    }
    const { launcher, clock } = this.#tools
    let engine: RunningEngine | null
    try {
      engine = await launcher.adopt(this.#asLaunch(this.#launchId), this.#mark)
    } catch (error) {
      this.#onNotLaunched(error)
      return
    }
    if (engine === null) {
      await this.#afterEnd({ code: null, signal: null })
      return
    }
    this.#mark = engine.mark
    await this.#save()
    this.#watch(engine, clock)
    if (this.#machine.process === 'launching') this.#apply({ kind: 'spawned' })
    // Nobody knows whether it has heard the one that the last supervisor wanted to send.
    else if (this.#machine.state === 'stopping') this.#work(this.#signal(this.#spec.stop.signal))
    this.#scheduleDue()
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    await this.#engine?.signal(signal)
  }

  #watch(engine: RunningEngine, clock: Clock): void {
    this.#engine = engine
    if (this.#closed) return
    const watching = new AbortController()
    this.#watching = watching
    void engine.ended.then((end) => {
      if (this.#closed) return
      watching.abort()
      this.#engine = null
      this.#work(this.#afterEnd(end))
    })
    this.#repeat(watching.signal, clock, () => this.#probe(watching.signal))
    this.#repeat(watching.signal, clock, () => this.#boundLog())
  }

  /** `run` says after how many milliseconds it wants to run again. */
  #repeat(signal: AbortSignal, clock: Clock, run: () => Promise<number>): void {
    let cancel = (): void => {}
    signal.addEventListener('abort', () => cancel(), { once: true })
    const once = async (): Promise<void> => {
      const afterMs = await run()
      if (!signal.aborted) cancel = clock.schedule(afterMs, () => this.#work(once()))
    }
    this.#work(once())
  }

  async #probe(signal: AbortSignal): Promise<number> {
    const verdict = await this.#tools.probe(this.#spec, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#tools.warn(`Probe of ${this.#spec.id}: ${String(error)}`)
      return 'silent' as const
    })
    if (!signal.aborted && !this.#closed) this.#apply({ kind: 'probed', verdict })
    return this.#machine.state === 'ready' ? probeMsReady : probeMs
  }

  async #boundLog(): Promise<number> {
    try {
      await this.#log.bound()
      return boundLogMs
    } catch (error) {
      this.#tools.warn(`The log of ${this.#spec.id} cannot be kept: ${String(error)}`)
      return boundLogMsBroken
    }
  }

  async #afterEnd(end: EngineEnd): Promise<void> {
    const { knownErrors } = this.#spec
    const tail = await this.#log.tail(this.#logOffset)
    const lastWords = lastLines(tail, lastWordsLinesMax)
    const known =
      this.#spec.plan.container === null ? knownErrors : [...containerErrors, ...knownErrors]
    const { meaning, fix, permanent } = explainExit(end, lastWords, tail, known)
    const wasAsked = this.#machine.state === 'stopping'
    if (!wasAsked) {
      const atMs = this.#tools.clock.nowMs()
      this.#lastExit = { atMs, ...end, lastWords, meaning, fix }
    }
    this.#mark = null
    this.#note(`ended${endText(end)}${wasAsked ? ', as it was told to' : ''}`)
    this.#apply({ kind: 'ended', permanent })
  }

  /** A log that cannot be written is no reason not to run. */
  #note(line: string): void {
    try {
      this.#log.note(line)
    } catch (error) {
      this.#tools.warn(`The log of ${this.#spec.id} cannot be written: ${String(error)}`)
    }
  }

  /** Writes what is true now, after what is being written. Resolves with whether it is on the disk. */
  #save(): Promise<boolean> {
    const record: ReplicaRecord = {
      spec: this.#spec,
      machine: this.#machine,
      launchId: this.#launchId,
      mark: this.#mark,
      logOffset: this.#logOffset,
      lastExit: this.#lastExit,
    }
    const text = JSON.stringify(record)
    if (text === this.#written) return this.#writes
    this.#written = text
    this.#writes = this.#writes.then(async () => {
      try {
        await writeRecord(this.#tools.directory, record)
        return true
      } catch (error) {
        // The next change tries again.
        this.#written = ''
        this.#tools.warn(`Replica ${this.#spec.id} cannot be written down: ${String(error)}`)
        return false
      }
    })
    return this.#writes
  }
}

function endText({ code, signal }: EngineEnd): string {
  if (signal !== null) return ` with ${signal}`
  return code === null ? '' : ` with exit code ${code}`
}
