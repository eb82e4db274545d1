/**
 * Makes what runs on this node what the controller wants: brings weights, chooses engines, starts
 * and stops replicas. Everything it does can be done again: after a restart it is told what is
 * wanted, finds what runs, and does the difference.
 */

import type { ChosenLaunch } from '#agent/choose-launch.ts'
import { deviceKey } from '#agent/device-key.ts'
import { ingressStates } from '#agent/ingress-states.ts'
import type { LocalWeights } from '#agent/node-weights.ts'
import type { ReplicaSpec as SupervisedSpec } from '#agent/replicas/replica-spec.ts'
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import type { ReplicaSpec, ReportedReplica } from '#protocol/agent-messages.ts'
import type { StrangeReplica } from '#protocol/read-messages.ts'
import type { Clock } from '#std/clock.ts'
import { sleep } from '#std/sleep.ts'

export interface KeeperOptions {
  readonly supervisor: Supervisor
  readonly clock: Clock
  readonly bringWeights: (
    source: string,
    signal: AbortSignal,
    onProgress: (doneBytes: number, totalBytes: number | null) => void,
  ) => Promise<LocalWeights>
  /** Throws what speaks against it. */
  readonly choose: (
    spec: ReplicaSpec,
    weights: LocalWeights,
  ) => Promise<ChosenLaunch & { port: number }>
  /** Says that weights are in use. */
  readonly claim: (reference: string, label: string) => Promise<Claim>
  /** Resolves when no request of a replica is under way, or the signal aborts. */
  readonly untilIdle: (id: string, signal: AbortSignal) => Promise<void>
  readonly onChange: () => void
  readonly log: (line: string) => void
}

interface Claim {
  release(): Promise<void>
}

/** A replica that does not run yet. */
interface Preparing {
  readonly abort: AbortController
  doneBytes: number
  totalBytes: number | null
  /** What went wrong; null while it goes on. */
  failure: string | null
}

/** A source that was away, a full disk that somebody has emptied: tried again after so long. */
const againMs = 60_000

/** Progress is told so often at most. */
const progressMs = 1_000

/** What a replica is doing when it is not wanted any more may take so long; then it is cut. */
const drainMsMax = 60_000

export class ReplicaKeeper {
  readonly #options: KeeperOptions
  readonly #preparing = new Map<string, Preparing>()
  /** Replicas that finish what they do and are then stopped; an abort ends the waiting. */
  readonly #ending = new Map<string, AbortController>()
  readonly #claims = new Map<string, Claim>()
  /** How each could not be started the last time: nobody wants to read it every minute. */
  readonly #toldFailures = new Map<string, string>()
  readonly #timers = new Set<() => void>()
  readonly #life = new AbortController()
  #wanted: ReadonlyMap<string, ReplicaSpec> = new Map()
  /** Wanted as well, and why it is not understood what. */
  #strange: ReadonlyMap<string, string> = new Map()
  #closed = false
  #toldProgressAtMs = 0

  constructor(options: KeeperOptions) {
    this.#options = options
    options.supervisor.onChange(() => options.onChange())
    options.supervisor.onPortTaken(({ id }) => this.#atAnotherPort(id))
    // Claims end with the process that made them; those of engines that ran on are made again.
    for (const { id } of options.supervisor.list()) void this.#claimAgain(id)
  }

  /**
   * Everything that should run here, and nothing else. Of those that are wanted in words which are
   * not understood, what runs goes on, and what does not run is not started.
   */
  want(specs: readonly ReplicaSpec[], strange: readonly StrangeReplica[] = []): void {
    if (this.#closed) return
    this.#wanted = new Map(specs.map((spec) => [spec.id, spec]))
    this.#strange = new Map(strange.map(({ id, why }) => [id, why]))
    const running = this.#options.supervisor.list().map(({ id }) => id)
    for (const id of new Set([...this.#wanted.keys(), ...this.#preparing.keys(), ...running])) {
      this.#settle(id)
    }
    this.#options.onChange()
  }

  reported(): ReportedReplica[] {
    const running = this.#options.supervisor.list().map((status) => this.#reportOf(status))
    const ids = new Set(running.map(({ id }) => id))
    const preparing = [...this.#preparing]
      .filter(([id]) => !ids.has(id))
      .map(
        ([id, { failure, doneBytes, totalBytes }]): ReportedReplica => ({
          ...nothingRuns,
          id,
          state: failure === null ? 'pulling' : 'failed',
          detail: failure,
          progress: failure === null ? { doneBytes, totalBytes } : null,
        }),
      )
    const strange = [...this.#strange]
      .filter(([id]) => !ids.has(id) && !this.#preparing.has(id))
      .map(
        ([id, why]): ReportedReplica => ({
          ...nothingRuns,
          id,
          state: 'failed',
          detail: `The controller is newer than the agent, and says what it should be in words that the agent does not know ("${why}"): update Motley on this node.`,
        }),
      )
    return [...running, ...preparing, ...strange]
  }

  /** Where the engine of a replica listens; null when it does not run, or takes nothing new. */
  portOf(id: string): number | null {
    if (this.#ending.has(id)) return null
    const status = this.#statusOf(id)
    return status !== undefined && ingressStates.has(status.state) ? status.port : null
  }

  close(): void {
    this.#closed = true
    this.#life.abort(new Error('the agent ends'))
    for (const { abort } of this.#preparing.values()) abort.abort(new Error('the agent ends'))
    for (const waiting of this.#ending.values()) waiting.abort()
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  #statusOf(id: string): ReplicaStatus | undefined {
    return this.#options.supervisor.list().find((status) => status.id === id)
  }

  /**
   * Takes the next step of one replica, unless one is under way: whatever changed meanwhile, each
   * step ends here again.
   */
  #settle(id: string): void {
    if (this.#closed || this.#strange.has(id)) return
    const spec = this.#wanted.get(id)
    const preparing = this.#preparing.get(id)
    const ending = this.#ending.get(id)
    if (ending !== undefined) {
      if (spec !== undefined) ending.abort()
    } else if (preparing !== undefined) {
      if (spec === undefined) preparing.abort.abort(new Error('it is not wanted any more'))
    } else {
      const status = this.#statusOf(id)
      if (status === undefined) {
        if (spec === undefined) this.#toldFailures.delete(id)
        else void this.#begin(spec)
      } else if (spec === undefined || isOver(status)) void this.#end(status.id)
    }
  }

  async #begin(spec: ReplicaSpec): Promise<void> {
    const { clock, onChange, log } = this.#options
    const abort = new AbortController()
    const preparing: Preparing = { abort, doneBytes: 0, totalBytes: null, failure: null }
    this.#preparing.set(spec.id, preparing)
    try {
      await this.#start(spec, preparing)
    } catch (error) {
      if (!abort.signal.aborted) {
        preparing.failure = (error as Error).message.slice(0, 2_000)
        if (this.#toldFailures.get(spec.id) !== preparing.failure) {
          log(`${spec.id} cannot be started: ${preparing.failure}`)
        }
        this.#toldFailures.set(spec.id, preparing.failure)
        onChange()
        await sleep(clock, againMs, abort.signal).catch(() => {})
      }
    }
    this.#preparing.delete(spec.id)
    if (this.#closed) return
    this.#settle(spec.id)
    onChange()
  }

  async #start(spec: ReplicaSpec, preparing: Preparing): Promise<void> {
    const { supervisor, bringWeights, choose, clock, onChange, log } = this.#options
    const { signal } = preparing.abort
    const weights = await bringWeights(spec.source, signal, (doneBytes, totalBytes) => {
      preparing.doneBytes = doneBytes
      preparing.totalBytes = totalBytes
      if (clock.nowMs() - this.#toldProgressAtMs < progressMs) return
      this.#toldProgressAtMs = clock.nowMs()
      onChange()
    })
    const launch = await choose(spec, weights)
    const claim = await this.#options.claim(weights.reference, `replica ${spec.id}`)
    try {
      signal.throwIfAborted()
      await supervisor.start(supervisedSpec(spec, launch, weights))
    } catch (error) {
      // What is started although that cannot be written down needs them, too.
      if (this.#statusOf(spec.id) === undefined) await claim.release()
      else this.#claims.set(spec.id, claim)
      throw error
    }
    this.#claims.set(spec.id, claim)
    this.#toldFailures.delete(spec.id)
    for (const alarm of launch.alarms) log(`${spec.id}: ${alarm}`)
  }

  /** Chosen anew, as plans name the port; null while it is not known what is wanted. */
  async #atAnotherPort(id: ReplicaId): Promise<SupervisedSpec | null> {
    const { bringWeights, choose } = this.#options
    const spec = this.#wanted.get(id)
    if (spec === undefined) return null
    const weights = await bringWeights(spec.source, this.#life.signal, () => {})
    return supervisedSpec(spec, await choose(spec, weights), weights)
  }

  async #end(id: ReplicaId): Promise<void> {
    const { supervisor, clock, untilIdle, onChange, log } = this.#options
    const waiting = new AbortController()
    this.#ending.set(id, waiting)
    onChange()
    let failed = false
    try {
      const cancel = clock.schedule(drainMsMax, () => waiting.abort())
      await untilIdle(id, waiting.signal).finally(cancel)
      const status = this.#statusOf(id)
      const isWantedAgain = this.#wanted.has(id) && status !== undefined && !isOver(status)
      if (!isWantedAgain && !this.#closed) {
        await supervisor.stop(id)
        await supervisor.forget(id)
        await this.#claims.get(id)?.release()
        this.#claims.delete(id)
      }
    } catch (error) {
      failed = !this.#closed
      if (failed) log(`${id} cannot be ended: ${(error as Error).message}`)
    }
    this.#ending.delete(id)
    if (this.#closed) return
    if (failed) this.#settleLater(id)
    else this.#settle(id)
    onChange()
  }

  #settleLater(id: string): void {
    const cancel = this.#options.clock.schedule(againMs, () => {
      this.#timers.delete(cancel)
      this.#settle(id)
    })
    this.#timers.add(cancel)
  }

  async #claimAgain(id: ReplicaId): Promise<void> {
    const { supervisor, claim, log } = this.#options
    const reference = supervisor.specOf(id).about['weights']
    if (reference === undefined) return
    try {
      const made = await claim(reference, `replica ${id}`)
      // It may have ended meanwhile.
      if (this.#statusOf(id) === undefined) await made.release()
      else this.#claims.set(id, made)
    } catch (error) {
      log(`the weights of ${id} are not marked as in use: ${(error as Error).message}`)
    }
  }

  #reportOf(status: ReplicaStatus): ReportedReplica {
    const { about } = this.#options.supervisor.specOf(status.id)
    const { lastExit } = status
    const words = lastExit?.meaning ?? lastExit?.lastWords.at(-1) ?? null
    const detail = words === null ? null : [words, lastExit?.fix].filter(Boolean).join(' ')
    return {
      ...nothingRuns,
      id: status.id,
      state: this.#ending.has(status.id) ? 'stopping' : status.state,
      detail: status.state === 'ready' ? null : (detail?.slice(0, 2_000) ?? null),
      engine: about['engine'] ?? null,
      backend: about['backend'] ?? null,
      pid: status.pid,
      port: status.port,
      restarts: status.restarts,
      lastEnd: lastEndOf(status),
      alarms: about['alarm'] === undefined ? [] : [about['alarm']],
    }
  }
}

/** It is told when the replica is ready again, too: what was mended by a start may come again. */
function lastEndOf({ lastExit }: ReplicaStatus): ReportedReplica['lastEnd'] {
  if (lastExit === null || lastExit.atMs === null) return null
  const { atMs, code, signal, meaning } = lastExit
  return { atMs, code, signal, meaning: meaning?.slice(0, 2_000) ?? null }
}

/** Nothing runs, or what runs is being stopped: to run it again it is ended for good first. */
function isOver({ state }: ReplicaStatus): boolean {
  return state === 'stopped' || state === 'stopping'
}

const nothingRuns = {
  detail: null,
  engine: null,
  backend: null,
  pid: null,
  port: null,
  restarts: 0,
  progress: null,
  alarms: [],
  memory: null,
} satisfies Partial<ReportedReplica>

function supervisedSpec(
  spec: ReplicaSpec,
  { engine, backend, plan, port, alarms, ...launch }: ChosenLaunch & { port: number },
  weights: LocalWeights,
): SupervisedSpec {
  const [alarm] = alarms
  return {
    id: replicaId(spec.id),
    plan,
    port,
    knownErrors: engine.knownErrors,
    stop: engine.stop,
    about: {
      engine: engine.id,
      backend,
      model: spec.model,
      weights: weights.reference,
      weightsBytes: String(weights.weightsBytes),
      devices: launch.devices.map(deviceKey).join(' '),
      contextTokens: String(launch.contextTokens),
      slots: String(launch.slots),
      ...(spec.offload === undefined ? {} : { offload: 'planned' }),
      ...(alarm === undefined ? {} : { alarm }),
    },
  }
}
