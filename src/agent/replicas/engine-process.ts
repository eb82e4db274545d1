/**
 * Engines as processes. Each leads a group of its own, writes straight into its log file and is
 * bound to us by nothing: it survives the agent, and a later agent takes it over.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import {
  type EngineEnd,
  type EngineLaunch,
  type EngineLauncher,
  LaunchError,
  PortTakenError,
  type RunningEngine,
} from '#agent/replicas/engine-launcher.ts'
import {
  findLeaderByEnvironment,
  isGroupOf,
  isGroupRunning,
  isRunning,
  markOf,
  type ProcessMark,
  signalGroup,
} from '#agent/replicas/process-mark.ts'
import type { Clock } from '#std/clock.ts'

/** Carried by every process that an engine starts, as far as it passes on its environment. */
const launchVariable = 'MOTLEY_LAUNCH'

/** No one tells us when a process ends that is not our child. A look costs half a millisecond. */
const watchEveryMs = 250

/** How often we look whether a killed group is gone. The kernel takes milliseconds per gigabyte. */
const groupGoneEveryMs = 20

/** A group that is still there hangs in the kernel, and nobody knows for how long. */
const groupGoneMsMax = 10_000

export function processLauncher(clock: Clock): EngineLauncher {
  return {
    async launch({ plan, port, log, launchId }) {
      if (port !== null) await assertFree(port)
      const output = log.openForEngine()
      let child: ChildProcess
      try {
        child = spawn(plan.command, plan.args, {
          detached: true,
          stdio: ['ignore', output, output],
          // Relative paths of a plan must not depend on where the agent was started.
          cwd: dirname(log.path),
          env: engineEnvironment(plan, launchId),
        })
      } catch (error) {
        throw launchError(plan.command, error)
      } finally {
        closeSync(output)
      }
      const exited = new Promise<EngineEnd>((resolve) => {
        child.once('exit', (code, signal) => resolve({ code, signal }))
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', (error) => reject(launchError(plan.command, error)))
      })
      child.unref()
      const pid = child.pid as number
      // One that has ended already has no start; the mark then fits no process.
      const mark = (await markOf(pid)) ?? { pid, started: '' }
      return new EngineProcess(mark, exited, clock)
    },

    async adopt({ launchId }, mark) {
      const found = mark ?? (await findLeaderByEnvironment(launchVariable, launchId))
      if (found === null) return null
      if (await isRunning(found)) return new EngineProcess(found, null, clock)
      if (await isGroupOf(found)) await endGroup(found.pid, clock)
      return null
    },
  }
}

class EngineProcess implements RunningEngine {
  readonly mark: ProcessMark
  readonly ended: Promise<EngineEnd>
  readonly #clock: Clock
  readonly #ours: boolean
  #gone = false
  #released = false
  #cancelTimer = (): void => {}

  /** `exited`: of our own child; null when it is adopted. */
  constructor(mark: ProcessMark, exited: Promise<EngineEnd> | null, clock: Clock) {
    this.mark = mark
    this.#clock = clock
    this.#ours = exited !== null
    this.ended = this.#watch(exited ?? this.#disappeared())
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    // The number of one that is not our child may be another's by now.
    if (!this.#ours && !(await isRunning(this.mark))) return
    if (!this.#gone) signalGroup(this.mark.pid, signal)
  }

  release(): void {
    this.#released = true
    this.#cancelTimer()
  }

  /** What the engine started must not outlive it: workers hold the memory of the devices. */
  async #watch(exited: Promise<EngineEnd>): Promise<EngineEnd> {
    const end = await exited
    this.#gone = true
    if (this.#released) return new Promise(() => {})
    await endGroup(this.mark.pid, this.#clock)
    return end
  }

  #disappeared(): Promise<EngineEnd> {
    return new Promise((resolve) => {
      const look = async (): Promise<void> => {
        if (!(await isRunning(this.mark))) resolve({ code: null, signal: null })
        else if (!this.#released) {
          this.#cancelTimer = this.#clock.schedule(watchEveryMs, () => void look())
        }
      }
      void look()
    })
  }
}

/** Kills what is left of a group whose leader has gone, and waits until nothing is. */
async function endGroup(leaderPid: number, clock: Clock): Promise<void> {
  const untilMs = clock.nowMs() + groupGoneMsMax
  while ((await isGroupRunning(leaderPid)) && clock.nowMs() < untilMs) {
    signalGroup(leaderPid, 'SIGKILL')
    await new Promise<void>((resolve) => clock.schedule(groupGoneEveryMs, resolve))
  }
}

/** Ours without what is meant for Motley alone, and the plan's. */
function engineEnvironment(plan: EngineLaunch['plan'], launchId: string): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MOTLEY_'))
  return {
    ...Object.fromEntries(inherited),
    ...plan.env,
    ...plan.secretEnv,
    [launchVariable]: launchId,
  }
}

const launchFailures: Readonly<Record<string, { reason: string; fix: string }>> = {
  ENOENT: {
    reason: 'there is no such program',
    fix: 'Install it, or write where it is in the configuration of this engine.',
  },
  EACCES: {
    reason: 'it may not be executed',
    fix: 'Make the file executable for the user who runs the agent.',
  },
  ENOEXEC: {
    reason: 'it is no program for this machine',
    fix: 'Install the build for the operating system and processor of this machine.',
  },
  E2BIG: {
    reason: 'its arguments are too long for the system',
    fix: 'Put long values into a file that the engine reads.',
  },
}

function launchError(command: string, error: unknown): LaunchError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const known = launchFailures[code]
  const reason = known?.reason ?? (error instanceof Error ? error.message : String(error))
  return new LaunchError(`${command} cannot be started: ${reason}.`, {
    fix: known?.fix ?? null,
    // Anything else, as a lack of memory or of process numbers, may pass.
    permanent: known !== undefined,
    cause: error,
  })
}

/** @throws {PortTakenError} An engine would say so too, but only some of them, and after minutes. */
function assertFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', () => {
      reject(
        new PortTakenError(`Port ${port} is taken by another program.`, {
          fix: `See which with: ss -ltnp 'sport = :${port}'`,
        }),
      )
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve()))
  })
}
