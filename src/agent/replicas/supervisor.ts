/**
 * Keeps the replicas of this machine as they are wanted. Each is a state machine (pure), a record
 * on the disk and, most of the time, an engine that runs on its own. When the agent dies the
 * engines go on; the next supervisor reads the records and takes them over.
 */
import { join } from 'node:path'
import { lockDirectory } from '#agent/replicas/directory-lock.ts'
import type { EngineLauncher } from '#agent/replicas/engine-launcher.ts'
import type { LogPage } from '#agent/replicas/log-file.ts'
import type { ProbeVerdict } from '#agent/replicas/replica-machine.ts'
import { readRecords } from '#agent/replicas/replica-record.ts'
import {
  checkSpec,
  type ReplicaSpec,
  SupervisionError,
  startsAlike,
} from '#agent/replicas/replica-spec.ts'
import { type AnotherPort, SupervisedReplica } from '#agent/replicas/supervised-replica.ts'
import type { ReplicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import { type Clock, systemClock } from '#std/clock.ts'

export interface SupervisorOptions {
  /** Replicas have their records and logs in the folder `replicas` of it. */
  readonly dataDirectory: string
  readonly launcher: EngineLauncher
  /**
   * Asks the engine at a port of this machine how it is. It keeps a time limit of its own, and may
   * reject only after `signal` says to stop.
   */
  readonly probe: (spec: ReplicaSpec, signal: AbortSignal) => Promise<ProbeVerdict>
  /** Receives what a person should know, in one sentence each. */
  readonly warn: (message: string) => void
  readonly clock?: Clock
  /** How large a log may become before it is cut; an older one of this size is kept beside it. */
  readonly logBytesMax?: number
}

/** A name that is not known is refused with a {@link SupervisionError}. */
export interface Supervisor {
  /**
   * Resolves when it is written down that it is wanted. One that runs already stays as it is; one
   * that waits to be started again does not wait any longer.
   *
   * @throws {SupervisionError} When it runs in another way than this, or cannot be supervised.
   */
  start(spec: ReplicaSpec): Promise<void>
  /**
   * Resolves when nothing of it runs any more; a start that comes meanwhile is obeyed after that.
   *
   * @throws {SupervisionError} When the supervisor is closed before.
   */
  stop(id: ReplicaId): Promise<void>
  /**
   * Removes its record and log.
   *
   * @throws {SupervisionError} While it runs, or will.
   */
  forget(id: ReplicaId): Promise<void>
  /** In the order of their names. */
  list(): ReplicaStatus[]
  /** What was asked for, also before the agent's last restart. */
  specOf(id: ReplicaId): ReplicaSpec
  /** A page of its log after an offset; null for the newest page. */
  logs(id: ReplicaId, after: number | null, limitBytes?: number): Promise<LogPage>
  /** Where in its log the newest launch begins: an offset for {@link logs}. */
  launchOffset(id: ReplicaId): number
  /**
   * Who is asked for the same replica at a port that is free, when another program listens at its
   * own; null says that there is none now, and it waits.
   */
  onPortTaken(atAnotherPort: AnotherPort): void
  /** Tells of each change of a state, a process or an exit. Returns a function that ends it. */
  onChange(listener: (status: ReplicaStatus) => void): () => void
  /** Lets go of the engines, which run on, and of the folder. */
  close(): Promise<void>
  /** Stops every replica, then closes. */
  closeAndStop(): Promise<void>
}

/**
 * Takes over what runs before it resolves.
 *
 * @throws {SupervisionError} When another process supervises the same folder.
 */
export async function openSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  if (process.platform === 'win32') {
    throw new SupervisionError('Engines are supervised on Linux and macOS; use WSL 2 on Windows.')
  }
  const { dataDirectory, warn, clock = systemClock } = options
  const directory = join(dataDirectory, 'replicas')
  const unlock = await lockDirectory(join(directory, 'lock'))
  const replicas = new Map<ReplicaId, SupervisedReplica>()
  const listeners = new Set<(status: ReplicaStatus) => void>()
  let closing = false
  let atAnotherPort: AnotherPort = async () => null

  const tools = {
    ...options,
    directory,
    clock,
    atAnotherPort: (spec: ReplicaSpec) => atAnotherPort(spec),
    changed(status: ReplicaStatus): void {
      for (const listener of listeners) listener(status)
    },
  }
  const find = (id: ReplicaId): SupervisedReplica => {
    const replica = replicas.get(id)
    if (replica !== undefined) return replica
    throw new SupervisionError(`There is no replica ${id} on this node.`)
  }

  try {
    const records = await readRecords(directory, ({ message }) => warn(message))
    await Promise.all(
      records.map(async (record) => {
        const replica = await SupervisedReplica.open(record.spec, tools, record)
        replicas.set(record.spec.id, replica)
      }),
    )
  } catch (error) {
    for (const replica of replicas.values()) await replica.close()
    await unlock()
    throw error
  }

  /** One after the other for each name: a start must not meet a forget half-way. */
  const turns = new Map<ReplicaId, Promise<unknown>>()
  const inTurn = <Result>(id: ReplicaId, work: () => Promise<Result>): Promise<Result> => {
    const result = (turns.get(id) ?? Promise.resolve()).then(work)
    const over = result.then(forgetTurn, forgetTurn)
    turns.set(id, over)
    return result

    function forgetTurn(): void {
      if (turns.get(id) === over) turns.delete(id)
    }
  }

  const stop = async (id: ReplicaId): Promise<void> => {
    // In turn with a start that was asked for before; but waiting for the end keeps nobody waiting.
    const replica = await inTurn(id, async () => {
      const found = find(id)
      await found.stop()
      return found
    })
    await replica.gone()
  }

  let closed: Promise<void> | null = null
  const close = (): Promise<void> => {
    closing = true
    closed ??= letGo()
    return closed
  }
  const letGo = async (): Promise<void> => {
    await Promise.all(turns.values())
    await Promise.all([...replicas.values()].map((replica) => replica.close()))
    listeners.clear()
    await unlock()
  }

  return {
    async start(spec) {
      checkSpec(spec)
      if (closing) throw new SupervisionError('The supervisor is being closed.')
      await inTurn(spec.id, async () => {
        const known = replicas.get(spec.id)
        if (known?.mayRun === true && !startsAlike(known.spec, spec)) {
          throw new SupervisionError(
            `Replica ${spec.id} runs with another plan (process ${known.status.pid}); stop it first.`,
          )
        }
        const replica = known ?? (await SupervisedReplica.open(spec, tools, null))
        replicas.set(spec.id, replica)
        if (!(await replica.start(spec))) {
          throw new SupervisionError(`Replica ${spec.id} runs, but cannot be written down.`)
        }
      })
    },
    stop,
    async forget(id) {
      find(id)
      await inTurn(id, async () => {
        const replica = find(id)
        const { state } = replica.status
        if (state !== 'stopped' && state !== 'failed') {
          throw new SupervisionError(`Replica ${id} is ${state}; stop it first.`)
        }
        replicas.delete(id)
        await replica.forget()
      })
    },
    list() {
      return [...replicas.values()]
        .map(({ status }) => status)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    specOf: (id) => find(id).spec,
    launchOffset: (id) => find(id).launchOffset,
    async logs(id, after, limitBytes) {
      return await find(id).logs(after, limitBytes)
    },
    onPortTaken(ask) {
      atAnotherPort = ask
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close,
    async closeAndStop() {
      closing = true
      await Promise.all([...replicas.keys()].map(stop))
      await close()
    },
  }
}
