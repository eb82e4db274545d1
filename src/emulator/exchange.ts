import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EmulatorClock } from '#emulator/clock.ts'
import type { Dialect, EmulatedTask, Page } from '#emulator/dialect.ts'
import type { Failure } from '#emulator/failure.ts'
import type { Fault } from '#emulator/fault.ts'
import type { Inference, JobTiming, RunningJob } from '#emulator/inference.ts'
import type { EmulatorSettings } from '#emulator/options.ts'

/** How a request ended. `faulted`: broken on purpose, after which no answer is whole. */
export type Outcome = 'finished' | 'aborted' | 'faulted'

/** What every request of one emulator shares. */
export interface Machine {
  readonly settings: EmulatorSettings
  readonly dialect: Dialect
  readonly clock: EmulatorClock
  readonly inference: Inference
  /** On every answer, so that nobody takes an emulator for the real thing. */
  readonly headers: Readonly<Record<string, string>>
  nextId(): string
  /** How long the model must load before this request; touches its time to live. */
  residencyDelayMs(model: string, keepAlive: unknown): number
}

/** One inference request and its answer, from the moment its body is there. */
export class Exchange {
  readonly machine: Machine
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly task: EmulatedTask
  readonly faults: readonly Fault[]
  readonly #settle: (outcome: Outcome) => void
  #outcome: Outcome | null = null
  #job: RunningJob | null = null
  readonly #timers = new Set<() => void>()

  constructor(
    machine: Machine,
    from: {
      readonly request: IncomingMessage
      readonly response: ServerResponse
      readonly path: string
      readonly task: EmulatedTask
      readonly faults: readonly Fault[]
    },
    settle: (outcome: Outcome) => void,
  ) {
    this.machine = machine
    this.request = from.request
    this.response = from.response
    this.path = from.path
    this.task = from.task
    this.faults = from.faults
    this.#settle = settle
    from.response.on('finish', () => this.#end('finished'))
    from.response.on('close', () => this.#end('aborted'))
  }

  get isOver(): boolean {
    return this.#outcome !== null
  }

  fault<Kind extends Fault['kind']>(kind: Kind): Extract<Fault, { kind: Kind }> | null {
    const isIt = (fault: Fault): fault is Extract<Fault, { kind: Kind }> => fault.kind === kind
    return this.faults.find(isIt) ?? null
  }

  /**
   * Has the machine work on this request, and stop when the client leaves. `keepsRunning` is for
   * engines that finish what nobody waits for. Returns false when the queue is full.
   */
  infer(
    job: Parameters<Inference['submit']>[0],
    { keepsRunning = false }: { keepsRunning?: boolean } = {},
  ): boolean {
    const running = this.machine.inference.submit(job)
    if (running === null) return false
    if (this.isOver && !keepsRunning) running.cancel()
    if (!keepsRunning) this.#job = running
    return true
  }

  /** How long the phases of the work took so far; what took no time at all took none. */
  timing(): JobTiming {
    return this.#job?.timing() ?? { queueMs: 0, promptMs: 0, outputMs: 0 }
  }

  /** Runs later, unless the exchange is over by then. */
  later(afterMs: number, run: () => void): void {
    const callOff = this.machine.clock.schedule(afterMs, () => {
      this.#timers.delete(callOff)
      if (!this.isOver) run()
    })
    this.#timers.add(callOff)
  }

  /** Ends the connection on purpose: at once with RST, or with FIN after what was written. */
  breakOff(how: 'reset' | 'fin'): void {
    this.#end('faulted')
    const { socket } = this.request
    if (how === 'reset') socket.resetAndDestroy()
    else socket.end()
  }

  page({ status, contentType, body }: Page, extra: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return
    this.response.writeHead(status, {
      ...this.machine.headers,
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      ...extra,
    })
    this.response.end(body)
  }

  fail(failure: Failure, extra: Readonly<Record<string, string>> = {}): void {
    this.page(this.machine.dialect.failurePage(failure, this.path), extra)
  }

  /** Answers in words of the client's mistake. */
  refuse(message: string, param: string | null = null): void {
    this.fail({ kind: 'bad-request', message, param })
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== null) return
    this.#outcome = outcome
    this.#job?.cancel()
    for (const callOff of this.#timers) callOff()
    this.#timers.clear()
    this.#settle(outcome)
  }
}
