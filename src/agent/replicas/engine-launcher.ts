/** Starting an engine and watching it: as a process, or in a container. */
import type { LaunchPlan } from '#agent/replicas/launch-plan.ts'
import type { LogFile } from '#agent/replicas/log-file.ts'
import type { ProcessMark } from '#agent/replicas/process-mark.ts'
import type { ReplicaId } from '#core/ids.ts'

export interface EngineLaunch {
  readonly id: ReplicaId
  readonly plan: LaunchPlan
  /** Where it will listen, which must be free before; null when that is not to be looked at. */
  readonly port: number | null
  readonly log: LogFile
  /**
   * Unlike that of any other launch. It is written down before the engine is started, and the
   * engine carries it: one that was started just before the agent died is found by it.
   */
  readonly launchId: string
}

/**
 * Neither method may be called for a replica while an engine of it runs. Both leave nothing of an
 * earlier engine of this replica running, but the one they return.
 */
export interface EngineLauncher {
  /** @throws {LaunchError} */
  launch(launch: EngineLaunch): Promise<RunningEngine>
  /**
   * Takes over the engine that another process launched; null when it is gone. `mark` is null when
   * that process died before it could write it down.
   */
  adopt(launch: EngineLaunch, mark: ProcessMark | null): Promise<RunningEngine | null>
}

export interface RunningEngine {
  readonly mark: ProcessMark
  /** Sends it to the engine and to all that it started; nothing when they are gone. */
  signal(signal: NodeJS.Signals): Promise<void>
  /** Resolves when the engine and all that it started are gone; not after {@link release}. */
  readonly ended: Promise<EngineEnd>
  /** Stops watching. The engine runs on. */
  release(): void
}

/** Both are null when it was not our child: then nobody told us. */
export interface EngineEnd {
  readonly code: number | null
  readonly signal: string | null
}

/** An engine that could not even be started. {@link PortTakenError} is one of these. */
export class LaunchError extends Error {
  /** What to do about it; null when nothing is known. */
  readonly fix: string | null
  /** Whether the next try would fail alike. */
  readonly permanent: boolean

  constructor(
    message: string,
    more: { fix?: string | null; permanent?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
    this.fix = more.fix ?? null
    this.permanent = more.permanent ?? false
  }
}

/** Another program listens where the engine should. */
export class PortTakenError extends LaunchError {}
