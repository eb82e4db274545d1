/**
 * Keeps an engine running as a process of its own:
 *
 *   starting ──prints its URL──▶ running ──ends by itself──▶ waiting ──time──▶ starting …
 *                                   │
 *                                   └──exit code 2──▶ given up: the next start would end alike
 *
 *   retired, from any state: left to what it does, and not started again when it ends
 *   stopped, from any state: asked to end, then made to
 *
 * The child is asked for the same port again each time it starts, so that its endpoint stays what
 * it is. It shares a channel with this process and ends when the channel closes: a parent that is
 * killed leaves nobody behind. A Ctrl-C reaches every process of a terminal; the child leaves it to
 * this one, which knows what still runs.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface ChildOptions {
  /** What it is called in messages: "the embedded engine". */
  readonly name: string
  /** The file of its program. It prints `{"url": …}` as its first line, or `{"error": …}`. */
  readonly program: string
  /** Port 0 the first time: any that is free. */
  readonly args: (port: number) => readonly string[]
  /** What it gets beside the environment of this process: secrets, which arguments would show. */
  readonly env?: Readonly<Record<string, string>>
  /** How long to wait before it starts again, after so many short lives in a row. */
  readonly restartMs: (shortLives: number) => number
  /** Receives each line of JSON after the first. */
  readonly onLine?: (fields: Readonly<Record<string, unknown>>) => void
  readonly log: (line: string) => void
}

export interface SupervisedChild {
  readonly url: string
  readonly port: number
  /** Null while it is not running. */
  readonly pid: number | null
  /** Ends it as a crash would; it starts again as after a crash. */
  kill(): void
  /** Starts it without waiting any longer; nothing when it is running. */
  startNow(): void
  /**
   * Resolves with its last words when it ended after it had said where it listens, and in a way
   * that a restart cannot mend; else never.
   */
  readonly gaveUp: Promise<string>
  /** Lets it run, and neither starts it again nor tells of its end. */
  retire(): void
  /** Asks it to end, and after a while makes it. */
  stop(): Promise<void>
}

/** The child ended before it could say where it listens. The message says why in its own words. */
export class ChildStartError extends Error {}

/** What a program ends with when it was asked for something that it can never do. */
const hopelessExitCode = 2

/** A life this long was no failed start: the next restart is as quick as the first. */
const longLifeMs = 30_000

/** What the embedded engine allows itself to free its model, and a little more. */
const stopMsMax = 3_000

/** 0.5 s, doubling to 30 s: quick after one crash, and gentle with a machine that is out of memory. */
export function backOffMs(shortLives: number): number {
  return Math.min(30_000, 500 * 2 ** Math.max(0, shortLives - 1))
}

/** @throws {ChildStartError} */
export async function superviseChild(options: ChildOptions): Promise<SupervisedChild> {
  const { name, program, args, env, restartMs, onLine, log } = options
  let child: ChildProcess | null = null
  let url = ''
  let port = 0
  let shortLives = 0
  let retired = false
  let restart: NodeJS.Timeout | null = null
  const { promise: gaveUp, resolve: giveUp } = Promise.withResolvers<string>()

  const start = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const startedMs = performance.now()
      let lastWords: string | null = null
      const started = fork(program, [...args(port)], {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, ...env },
      })
      child = started
      if (started.stdout !== null) {
        createInterface({ input: started.stdout }).on('line', (line) => {
          const fields = parseLine(line)
          if (typeof fields['error'] === 'string') lastWords = fields['error']
          else if (typeof fields['url'] === 'string') {
            url = fields['url']
            port = Number(new URL(url).port)
            resolve(url)
          } else onLine?.(fields)
        })
      }
      if (started.stderr !== null) {
        createInterface({ input: started.stderr }).on('line', (line) => {
          if (!retired) log(`${name}: ${line}`)
        })
      }
      started.on('error', (error) => {
        lastWords = error.message
      })
      started.on('close', (code, signal) => {
        child = null
        const why = lastWords ?? (signal === null ? `exit code ${code}` : signal)
        reject(new ChildStartError(why))
        if (retired || url === '') return
        if (code === hopelessExitCode) {
          giveUp(why)
          return
        }
        shortLives = performance.now() - startedMs > longLifeMs ? 1 : shortLives + 1
        const waitMs = restartMs(shortLives)
        log(`${name} has ended (${why}); it starts again in ${waitMs / 1000} s`)
        restart = setTimeout(startAgain, waitMs)
      })
    })

  const startAgain = () => {
    if (restart !== null) clearTimeout(restart)
    restart = null
    start().then(
      () => log(`${name} runs again`),
      () => {}, // its end was reported, and the next start is set
    )
  }

  const retire = () => {
    retired = true
    if (restart !== null) clearTimeout(restart)
  }
  const killNow = () => child?.kill('SIGKILL')
  process.on('exit', killNow)

  await start()
  return {
    get url() {
      return url
    },
    get port() {
      return port
    },
    get pid() {
      return child?.pid ?? null
    },
    kill() {
      child?.kill('SIGKILL')
    },
    startNow() {
      if (restart !== null && !retired) startAgain()
    },
    gaveUp,
    retire,
    async stop() {
      retire()
      const running = child
      if (running !== null) {
        await new Promise<void>((resolve) => {
          running.once('close', () => resolve())
          running.kill('SIGTERM')
          setTimeout(killNow, stopMsMax).unref()
        })
      }
      process.off('exit', killNow)
    },
  }
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
