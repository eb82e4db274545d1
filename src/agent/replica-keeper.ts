/**
 * Makes what runs on this node what the controller wants: brings weights, chooses engines, starts
 * and stops replicas. Everything it does can be done again: after a restart it is told what is
 * wanted, finds what runs, and does the difference.
 */

import type { ChosenLaunch } from '#agent/choose-launch.ts'
import { ingressStates } from '#agent/ingress-states.ts'
import type { LocalWeights } from '#agent/node-weights.ts'
import type { ReplicaSpec as SupervisedSpec } from '#agent/replicas/replica-spec.ts'
import type { Supervisor } from '#agent/replicas/supervisor.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import type { ReplicaSpec, ReportedReplica } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'

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
  readonly claim: (reference: string, label: string) => Promise<{ release(): Promise<void> }>
  readonly onChange: () => void
  readonly log: (line: string) => void
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
const prepareAgainMs = 60_000

/** Progress is told so often at most. */
const progressMs = 1_000

export class ReplicaKeeper {
  readonly #options: KeeperOptions
  readonly #preparing = new Map<string, Preparing>()
  readonly #claims = new Map<string, { release(): Promise<void> }>()
  #wanted: readonly ReplicaSpec[] = []
  #closed = false
  #toldProgressAtMs = 0

  constructor(options: KeeperOptions) {
    this.#options = options
    options.supervisor.onChange(() => options.onChange())
  }

  /** Everything that should run here, and nothing else. */
  want(specs: readonly ReplicaSpec[]): void {
    if (this.#closed) return
    this.#wanted = specs
    const wanted = new Set(specs.map(({ id }) => id))
    for (const [id, preparing] of this.#preparing) {
      if (!wanted.has(id)) preparing.abort.abort(new Error('not wanted any more'))
    }
    for (const { id } of this.#options.supervisor.list()) {
      if (!wanted.has(id)) void this.#end(id)
    }
    const known = new Set<string>(this.#options.supervisor.list().map(({ id }) => id))
    for (const spec of specs) {
      if (!known.has(spec.id) && !this.#preparing.has(spec.id)) void this.#begin(spec)
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
    return [...running, ...preparing]
  }

  /** Where the engine of a replica listens; null when it does not run. */
  portOf(id: string): number | null {
    const status = this.#options.supervisor.list().find((one) => one.id === id)
    return status !== undefined && ingressStates.has(status.state) ? status.port : null
  }

  close(): void {
    this.#closed = true
    for (const { abort } of this.#preparing.values()) abort.abort(new Error('the agent ends'))
  }

  async #begin(spec: ReplicaSpec): Promise<void> {
    const { supervisor, bringWeights, choose, claim, clock, onChange, log } = this.#options
    const preparing: Preparing = {
      abort: new AbortController(),
      doneBytes: 0,
      totalBytes: null,
      failure: null,
    }
    this.#preparing.set(spec.id, preparing)
    try {
      const weights = await bringWeights(spec.source, preparing.abort.signal, (done, total) => {
        preparing.doneBytes = done
        preparing.totalBytes = total
        if (clock.nowMs() - this.#toldProgressAtMs < progressMs) return
        this.#toldProgressAtMs = clock.nowMs()
        onChange()
      })
      const launch = await choose(spec, weights)
      preparing.abort.signal.throwIfAborted()
      this.#claims.set(spec.id, await claim(weights.reference, `replica ${spec.id}`))
      await supervisor.start(supervisedSpec(spec, launch, weights))
      for (const alarm of launch.alarms) log(`${spec.id}: ${alarm}`)
      this.#preparing.delete(spec.id)
    } catch (error) {
      if (preparing.abort.signal.aborted) {
        this.#preparing.delete(spec.id)
        onChange()
        return
      }
      preparing.failure = (error as Error).message.slice(0, 2_000)
      log(`${spec.id} cannot be started: ${preparing.failure}`)
      const cancel = clock.schedule(prepareAgainMs, () => {
        this.#preparing.delete(spec.id)
        if (this.#wanted.some(({ id }) => id === spec.id)) void this.#begin(spec)
      })
      preparing.abort.signal.addEventListener('abort', () => {
        cancel()
        this.#preparing.delete(spec.id)
        onChange()
      })
    }
    onChange()
  }

  async #end(id: ReplicaId): Promise<void> {
    const { supervisor, log } = this.#options
    try {
      await supervisor.stop(id)
      await supervisor.forget(id)
      await this.#claims.get(id)?.release()
      this.#claims.delete(id)
    } catch (error) {
      log(`${id} cannot be ended: ${(error as Error).message}`)
    }
    this.#options.onChange()
    // It may have been wanted again meanwhile.
    const again = this.#wanted.find((spec) => spec.id === id)
    if (again !== undefined && !this.#closed) void this.#begin(again)
  }

  #reportOf(status: ReplicaStatus): ReportedReplica {
    const { about } = this.#options.supervisor.specOf(status.id)
    const { lastExit } = status
    const words = lastExit?.meaning ?? lastExit?.lastWords.at(-1) ?? null
    const detail = words === null ? null : [words, lastExit?.fix].filter(Boolean).join(' ')
    return {
      ...nothingRuns,
      id: status.id,
      state: status.state,
      detail: status.state === 'ready' ? null : (detail?.slice(0, 2_000) ?? null),
      engine: about['engine'] ?? null,
      backend: about['backend'] ?? null,
      pid: status.pid,
      port: status.port,
      restarts: status.restarts,
      alarms: about['alarm'] === undefined ? [] : [about['alarm']],
    }
  }
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
} satisfies Partial<ReportedReplica>

function supervisedSpec(
  spec: ReplicaSpec,
  { engine, backend, plan, port, alarms }: ChosenLaunch & { port: number },
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
      ...(alarm === undefined ? {} : { alarm }),
    },
  }
}
