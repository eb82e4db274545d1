/**
 * The life of one replica as a pure value: what happened goes in, the next state and what to do
 * come out. The drawing is in core/replica.ts. It holds no timer: `dueAtMs` says when a `time`
 * event is wanted next, and an event that no longer fits changes nothing.
 *
 * It promises: never two processes, no start before the last process is gone, and a stop that
 * does not give up until it is.
 */
import type { ReplicaState } from '#core/replica.ts'

export interface ReplicaMachine {
  readonly state: ReplicaState
  /** When it came into this state. */
  readonly sinceMs: number
  /** `launching`: asked for, not yet known to run. */
  readonly process: 'none' | 'launching' | 'running'
  /** While stopping: whether it shall start again once the process is gone. */
  readonly startsAgain: boolean
  /** When a `time` event is due; null when nothing waits for time. */
  readonly dueAtMs: number | null
  /** When it became ready; null while it is not, and once it no longer answers as ready. */
  readonly readyAtMs: number | null
  /** Probes in a row that a ready replica did not answer as one. */
  readonly missedProbes: number
  /** Ends by itself since it was last ready for long, or started by hand. */
  readonly endsInARow: number
  /** The times of these ends, as far as they lie within {@link crashWindowMs}. */
  readonly endedAtMs: readonly number[]
  /** Whether it was in a crash loop and has not been ready for long since. */
  readonly crashLoops: boolean
  readonly restarts: number
}

export type ReplicaEvent =
  /** Someone wants it to run. In a pause: now. */
  | { readonly kind: 'start' }
  /** Someone wants it to end; the engine gets `graceMs` to do so by itself. */
  | { readonly kind: 'stop'; readonly graceMs: number }
  /** What `spawn` asked for runs. */
  | { readonly kind: 'spawned' }
  /**
   * The process and all of its group are gone, or could not be started at all. `permanent`: the
   * next start would end alike.
   */
  | { readonly kind: 'ended'; readonly permanent: boolean }
  | { readonly kind: 'probed'; readonly verdict: ProbeVerdict }
  /** {@link ReplicaMachine.dueAtMs} has passed. */
  | { readonly kind: 'time' }

/** What an engine's port says about it. `refused`: nothing listens there. */
export type ProbeVerdict = 'ready' | 'loading' | 'refused' | 'silent' | 'unhealthy'

export type ReplicaAction =
  /** Start a process, and say `spawned` or `ended`. */
  | { readonly kind: 'spawn' }
  /** Ask the whole process group to end. */
  | { readonly kind: 'terminate' }
  /** Make the whole process group end. */
  | { readonly kind: 'kill' }

export interface Step {
  readonly machine: ReplicaMachine
  readonly actions: readonly ReplicaAction[]
}

/** 1 s, doubling to 60 s: quick after one crash, and gentle with a machine that is out of memory. */
const backOffMsMin = 1_000
const backOffMsMax = 60_000

/** Ready for this long, it was no failed start: the next restart is as quick as the first. */
const longReadyMs = 60_000

/** Five ends within five minutes are a habit: a person should look, and the log stays readable. */
const crashesMax = 5
const crashWindowMs = 5 * 60_000

/** Whatever it lacks may come back by itself (a disk, a driver), but not within seconds. */
const crashLoopRetryMs = 5 * 60_000

/** A killed process that is still there hangs in the kernel: it is killed again, for ever. */
const killAgainMs = 5_000

/** One missed probe is a busy moment; three are not ready. */
const missedProbesMax = 3

export function newReplicaMachine(nowMs: number): ReplicaMachine {
  return {
    state: 'stopped',
    sinceMs: nowMs,
    process: 'none',
    startsAgain: false,
    dueAtMs: null,
    readyAtMs: null,
    missedProbes: 0,
    endsInARow: 0,
    endedAtMs: [],
    crashLoops: false,
    restarts: 0,
  }
}

/** What was written down before, as it counts now: a clock set back must not make it wait longer. */
export function resumedMachine(written: ReplicaMachine, nowMs: number): ReplicaMachine {
  const { dueAtMs, sinceMs, readyAtMs, endedAtMs } = written
  const tooLate = dueAtMs !== null && dueAtMs > nowMs + crashLoopRetryMs
  return {
    ...written,
    sinceMs: Math.min(sinceMs, nowMs),
    readyAtMs: readyAtMs === null ? null : Math.min(readyAtMs, nowMs),
    endedAtMs: endedAtMs.filter((atMs) => atMs <= nowMs),
    dueAtMs: tooLate ? nowMs : dueAtMs,
  }
}

export function stepReplica(machine: ReplicaMachine, event: ReplicaEvent, nowMs: number): Step {
  switch (event.kind) {
    case 'start':
      return onStart(machine, nowMs)
    case 'stop':
      return onStop(machine, event.graceMs, nowMs)
    case 'spawned':
      return onSpawned(machine)
    case 'ended':
      return onEnded(machine, event.permanent, nowMs)
    case 'probed':
      return { machine: afterProbe(machine, event.verdict, nowMs), actions: [] }
    case 'time':
      return onTime(machine, nowMs)
  }
}

function onStart(machine: ReplicaMachine, nowMs: number): Step {
  if (machine.state === 'stopping') {
    return { machine: { ...machine, startsAgain: true }, actions: [] }
  }
  if (machine.process !== 'none') return { machine, actions: [] }
  return launch(forgiven(machine), nowMs)
}

function onStop(machine: ReplicaMachine, graceMs: number, nowMs: number): Step {
  const { state, process } = machine
  if (state === 'stopping') return { machine: { ...machine, startsAgain: false }, actions: [] }
  if (process === 'none') return { machine: enter(machine, 'stopped', nowMs), actions: [] }
  const stopping = enter(machine, 'stopping', nowMs, nowMs + graceMs)
  return { machine: stopping, actions: process === 'running' ? [{ kind: 'terminate' }] : [] }
}

function onSpawned(machine: ReplicaMachine): Step {
  if (machine.process !== 'launching') return { machine, actions: [] }
  const running = { ...machine, process: 'running' } as const
  // The stop came while it was being started: it has not heard of it yet.
  return { machine: running, actions: running.state === 'stopping' ? [{ kind: 'terminate' }] : [] }
}

function onEnded(machine: ReplicaMachine, permanent: boolean, nowMs: number): Step {
  if (machine.process === 'none') return { machine, actions: [] }
  const gone = { ...machine, process: 'none' } as const
  if (machine.state === 'stopping') {
    if (machine.startsAgain) return launch(forgiven(gone), nowMs)
    return { machine: enter(gone, 'stopped', nowMs), actions: [] }
  }
  const wasLongReady = machine.readyAtMs !== null && nowMs - machine.readyAtMs >= longReadyMs
  const before = wasLongReady ? forgiven(gone) : gone
  const endsInARow = before.endsInARow + 1
  const endedAtMs = [...before.endedAtMs.filter((atMs) => atMs > nowMs - crashWindowMs), nowMs]
  // Between two tries of a crash loop the window empties; only being ready for long ends the loop.
  const crashLoops = before.crashLoops || endedAtMs.length >= crashesMax
  const counted = { ...before, endsInARow, endedAtMs: endedAtMs.slice(-crashesMax), crashLoops }
  if (permanent) return { machine: enter(counted, 'failed', nowMs), actions: [] }
  const waits = crashLoops
    ? enter(counted, 'crash-looping', nowMs, nowMs + crashLoopRetryMs)
    : enter(counted, 'backing-off', nowMs, nowMs + backOffMs(endsInARow))
  return { machine: waits, actions: [] }
}

function onTime(machine: ReplicaMachine, nowMs: number): Step {
  const { state, process, dueAtMs } = machine
  if (dueAtMs === null || nowMs < dueAtMs) return { machine, actions: [] }
  if (state === 'stopping') {
    const later = { ...machine, dueAtMs: nowMs + killAgainMs }
    return { machine: later, actions: process === 'running' ? [{ kind: 'kill' }] : [] }
  }
  return launch({ ...machine, restarts: machine.restarts + 1 }, nowMs)
}

function afterProbe(machine: ReplicaMachine, verdict: ProbeVerdict, nowMs: number): ReplicaMachine {
  const { state, process } = machine
  if (process !== 'running' || state === 'stopping') return machine
  if (verdict === 'ready') {
    if (state === 'ready') return { ...machine, missedProbes: 0 }
    return { ...enter(machine, 'ready', nowMs), readyAtMs: nowMs }
  }
  if (state === 'ready' && verdict !== 'loading') {
    const missedProbes = machine.missedProbes + 1
    if (missedProbes < missedProbesMax) return { ...machine, missedProbes }
  }
  return enter(machine, verdict === 'refused' ? 'starting' : 'loading', nowMs)
}

/** What failed before it was ready for long, or before someone said start, counts no more. */
function forgiven(machine: ReplicaMachine): ReplicaMachine {
  return { ...machine, endsInARow: 0, endedAtMs: [], crashLoops: false }
}

function launch(machine: ReplicaMachine, nowMs: number): Step {
  const launching = { ...enter(machine, 'starting', nowMs), process: 'launching' } as const
  return { machine: launching, actions: [{ kind: 'spawn' }] }
}

function enter(
  machine: ReplicaMachine,
  state: ReplicaState,
  nowMs: number,
  dueAtMs: number | null = null,
): ReplicaMachine {
  const sinceMs = state === machine.state ? machine.sinceMs : nowMs
  return {
    ...machine,
    state,
    sinceMs,
    dueAtMs,
    startsAgain: false,
    readyAtMs: null,
    missedProbes: 0,
  }
}

function backOffMs(endsInARow: number): number {
  return Math.min(backOffMsMax, backOffMsMin * 2 ** (endsInARow - 1))
}
