/**
 * Plans on a thread of its own. A plan of a large fleet takes a second or more of computing, and the
 * gateway beside the controller answers clients meanwhile.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Plan, PlanInput } from '#placement/plan.ts'

export interface ToPlanner {
  readonly question: number
  readonly input: PlanInput
}

export interface FromPlanner {
  readonly question: number
  /** Null when `bug` says why there is none. */
  readonly plan: Plan | null
  readonly bug: string | null
}

export class PlannerWorker {
  /** Started with the first question: a controller without deployments needs none. */
  #thread: Worker | null = null
  #questions = 0
  readonly #open = new Map<number, PromiseWithResolvers<Plan>>()

  /** Rejects when the planner has a bug, when its thread ends, and when it was closed. */
  plan(input: PlanInput): Promise<Plan> {
    this.#thread ??= this.#start()
    const thread = this.#thread
    const question = this.#questions++
    const waiting = Promise.withResolvers<Plan>()
    this.#open.set(question, waiting)
    thread.postMessage({ question, input } satisfies ToPlanner)
    return waiting.promise
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#thread = null
    this.#fail(new Error('the planner was closed'))
    await thread?.terminate()
  }

  #start(): Worker {
    const ending = extname(fileURLToPath(import.meta.url))
    const thread = new Worker(new URL(`./planner-thread${ending}`, import.meta.url), {
      execArgv:
        ending === '.ts'
          ? ['--conditions=motley-source', '--disable-warning=ExperimentalWarning']
          : [],
    })
    // A process that has nothing else to do ends.
    thread.unref()
    thread.on('message', ({ question, plan, bug }: FromPlanner) => {
      const waiting = this.#open.get(question)
      this.#open.delete(question)
      if (plan === null) waiting?.reject(new Error(`the planner has a bug: ${bug}`))
      else waiting?.resolve(plan)
    })
    thread.on('error', (error) => this.#lost(thread, error))
    thread.on('exit', () => this.#lost(thread, new Error('the thread of the planner ended')))
    return thread
  }

  /** The next question starts another. */
  #lost(thread: Worker, error: Error): void {
    if (this.#thread !== thread) return
    this.#thread = null
    this.#fail(error)
  }

  #fail(error: Error): void {
    const open = [...this.#open.values()]
    this.#open.clear()
    for (const { reject } of open) reject(error)
  }
}
