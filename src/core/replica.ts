/** A replica is one running engine that serves one model: how far it is, and how it last ended. */
import type { ReplicaId } from '#core/ids.ts'

/**
 *   stopped ──start──▶ starting ──▶ loading ──▶ ready      starting: its port is still closed
 *      ▲                  ▲  └─────────┴─────────┤         loading:  it answers that it is not ready
 *      │                  │          it ends by itself
 *      │                  │                      │
 *      │                  ├──time── backing-off ◀┤         seconds, longer after each end
 *      │                  └──time── crash-looping ◀        too many ends in a row: minutes
 *      │                            failed ◀─────┘         it would end alike: waits for a start
 *      └──── stopping, from any state
 */
export type ReplicaState =
  | 'starting'
  | 'loading'
  | 'ready'
  | 'stopping'
  | 'stopped'
  | 'backing-off'
  | 'crash-looping'
  | 'failed'

/** How an engine ended. */
export interface ReplicaExit {
  /** By the clock of its node; null where an earlier version wrote it down. */
  readonly atMs: number | null
  /** Null when a signal ended it, or when nobody was there to see it end. */
  readonly code: number | null
  /** `SIGKILL`, …; null when it exited, or when nobody was there to see it end. */
  readonly signal: string | null
  /** The last lines it wrote, oldest first, without colours and secrets; may be empty. */
  readonly lastWords: readonly string[]
  /** What these words mean, in one sentence; null when nothing is known. */
  readonly meaning: string | null
  /** What to do about it, in one sentence; null when nothing is known. */
  readonly fix: string | null
}

/** A replica as its node reports it. */
export interface ReplicaStatus {
  readonly id: ReplicaId
  readonly state: ReplicaState
  /** How long it has been in this state. No point in time: the clocks of two nodes may differ. */
  readonly inStateMs: number
  /** Of the engine's first process; null while none runs. */
  readonly pid: number | null
  /** Where the engine listens, on the loopback interface of its node. */
  readonly port: number
  /** How often it was started again because it had ended by itself. */
  readonly restarts: number
  /** How long until the next start is tried; null when none is due. */
  readonly retryInMs: number | null
  /** How it ended the last time that it was not told to; null when it never did. */
  readonly lastExit: ReplicaExit | null
}
