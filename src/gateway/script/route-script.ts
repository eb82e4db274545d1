/**
 * The user's routing script, on a thread of its own: the gateway goes on while it runs, and a run
 * that does not end is ended with its thread. Whoever asks gets an answer in every case, late or not
 * at all never.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { scriptLimits } from '#gateway/script/script-limits.ts'
import type {
  FromScript,
  ScriptEndpoint,
  ScriptRequest,
  ScriptVerdict,
  ToScript,
} from '#gateway/script/script-wire.ts'
import type { Clock } from '#std/clock.ts'

/** A thread starts in some 30 ms; on a machine that swaps it may take this. */
const startMsMax = 10_000

const { silentMsMax, lostThreadsMax, waitingMax } = scriptLimits

/** The file cannot be used: says what is wrong in it, and where. */
export class RouteScriptError extends Error {}

interface Waiting {
  readonly ask: ToScript
  readonly answer: (verdict: ScriptVerdict) => void
}

/** Rejects with {@link RouteScriptError} when the text is no script or has no function `route`. */
export async function startRouteScript(text: string, clock: Clock): Promise<RouteScript> {
  const script = new RouteScript(text, clock)
  const why = await script.start()
  if (why === null) return script
  await script.close()
  throw new RouteScriptError(why)
}

export class RouteScript {
  readonly #text: string
  readonly #clock: Clock
  #thread: Worker | null = null
  /** One that has not loaded the script yet. */
  #starting: Worker | null = null
  #running: Waiting | null = null
  readonly #waiting: Waiting[] = []
  #cancelTimer = (): void => {}
  #onIdle = (): void => {}
  /** In a row: an answer of whatever kind ends it. */
  #lostThreads = 0
  #closed = false

  constructor(text: string, clock: Clock) {
    this.#text = text
    this.#clock = clock
  }

  /** Resolves with what is wrong with the script, or null when it can be asked. */
  start(): Promise<string | null> {
    const thread = newThread(this.#text)
    this.#starting = thread
    return new Promise((resolve) => {
      const fail = (why: string): void => {
        cancel()
        void thread.terminate()
        this.#ended(thread, why)
        resolve(why)
      }
      const cancel = this.#clock.schedule(startMsMax, () =>
        fail(`its thread did not start within ${startMsMax / 1_000} s`),
      )
      thread.on('message', (message: FromScript) => {
        if (message.kind === 'unusable') fail(message.why)
        else if (message.kind !== 'loaded') this.#answered(message)
        else if (this.#starting === thread) {
          cancel()
          this.#starting = null
          this.#thread = thread
          resolve(null)
          this.#next()
        }
      })
      thread.on('error', (error) => fail(`its thread ended: ${error.message}`))
      thread.on('exit', () => fail('its thread ended'))
    })
  }

  /** It cost so many threads that it is not asked any more. */
  get isLeftOut(): boolean {
    return this.#lostThreads >= lostThreadsMax
  }

  /** Never rejects: what went wrong is an answer. */
  choose(request: ScriptRequest, endpoints: readonly ScriptEndpoint[]): Promise<ScriptVerdict> {
    const failed = (why: string) => Promise.resolve<ScriptVerdict>({ kind: 'failed', why })
    if (this.#closed) return failed('it is closed')
    if (this.isLeftOut) {
      return failed(
        `it hung or broke its thread ${lostThreadsMax} times in a row, and is left out until a reload`,
      )
    }
    if (this.#waiting.length >= waitingMax) return failed('too many requests wait for it')
    return new Promise((answer) => {
      this.#waiting.push({ ask: { request, endpoints }, answer })
      this.#next()
    })
  }

  /** Takes nothing new, answers who waits, and closes: another script takes over. */
  async retire(): Promise<void> {
    this.#closed = true
    if (!this.#isIdle) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    await this.close()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    const threads = [this.#thread, this.#starting]
    this.#thread = null
    this.#starting = null
    this.#failAll('it is closed')
    await Promise.all(threads.map((thread) => thread?.terminate()))
  }

  #next(): void {
    if (this.#running !== null) return
    if (this.#thread === null) {
      // The thread before it could not even start.
      if (this.#starting === null && this.#waiting.length > 0) void this.start()
      return
    }
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#running = next
    this.#thread.postMessage(next.ask)
    this.#cancelTimer = this.#clock.schedule(silentMsMax, () => this.#hung())
  }

  #answered(verdict: ScriptVerdict): void {
    this.#lostThreads = 0
    this.#settle(verdict)
    this.#next()
  }

  #hung(): void {
    const thread = this.#thread
    if (thread === null) return
    void thread.terminate()
    this.#ended(thread, `it did not end within ${silentMsMax} ms`)
  }

  /** Whoever waits behind the run that cost a thread is asked about on the next one. */
  #ended(thread: Worker, why: string): void {
    if (thread !== this.#thread && thread !== this.#starting) return
    const hadStarted = thread === this.#thread
    this.#thread = null
    this.#starting = null
    this.#lostThreads++
    if (hadStarted && this.#lostThreads < lostThreadsMax) {
      this.#settle({ kind: 'failed', why })
      void this.start()
    } else {
      this.#failAll(why)
    }
  }

  #failAll(why: string): void {
    this.#settle({ kind: 'failed', why })
    for (const { answer } of this.#waiting.splice(0)) answer({ kind: 'failed', why })
    this.#onIdle()
  }

  #settle(verdict: ScriptVerdict): void {
    this.#cancelTimer()
    const running = this.#running
    this.#running = null
    running?.answer(verdict)
    if (this.#isIdle) this.#onIdle()
  }

  get #isIdle(): boolean {
    return this.#running === null && this.#waiting.length === 0
  }
}

/** Beside this file, in TypeScript where this is, in JavaScript where it was built. */
function newThread(text: string): Worker {
  const ending = extname(fileURLToPath(import.meta.url))
  return new Worker(new URL(`./script-thread${ending}`, import.meta.url), {
    workerData: text,
    execArgv:
      ending === '.ts'
        ? ['--conditions=motley-source', '--disable-warning=ExperimentalWarning']
        : [],
    // None of the environment, so that nothing in it can leak through a mistake in the sandbox.
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  })
}
