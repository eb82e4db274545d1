import type { Exchange } from '#emulator/exchange.ts'
import type { Fault } from '#emulator/fault.ts'
import { splitAwkwardly } from '#emulator/faults/split-awkwardly.ts'
import { isStreamFault, type StreamFault } from '#emulator/faults/stream-fault.ts'
import { type FrameKind, type FrameSink, streamHeaders } from '#emulator/frame-sink.ts'

interface Queued {
  readonly kind: FrameKind | 'end'
  readonly frame: string
}

/**
 * A stream with faults in it. Frames pass one at a time, since a fault may hold them up or end the
 * connection between any two.
 */
export class FaultySink implements FrameSink {
  readonly #exchange: Exchange
  readonly #contentType: string
  readonly #faults: readonly StreamFault[]
  readonly #errorFrame: string
  readonly #queue: Queued[] = []
  readonly #spent = new Set<Fault>()
  #contentFrames = 0
  #isHeldUp = false
  #stopped = false
  #awkward: string[] = []
  #silentSinceMs: number

  constructor(exchange: Exchange, contentType: string, errorFrame: string) {
    this.#exchange = exchange
    this.#contentType = contentType
    this.#faults = exchange.faults.filter(isStreamFault)
    this.#errorFrame = errorFrame
    this.#silentSinceMs = exchange.machine.clock.nowMs()
    for (const fault of this.#faults) if (fault.kind === 'pings') this.#ping(fault.everyMs)
  }

  start(): void {
    const { response } = this.#exchange
    if (response.headersSent || this.#exchange.isOver) return
    response.writeHead(200, streamHeaders(this.#exchange, this.#contentType))
    response.flushHeaders()
  }

  send(kind: FrameKind, frame: string): void {
    if (frame !== '') this.#queue.push({ kind, frame })
  }

  flush(): void {
    this.#pump()
  }

  end(): void {
    this.#queue.push({ kind: 'end', frame: '' })
    this.#pump()
  }

  #pump(): void {
    while (!this.#isHeldUp && !this.#stopped && !this.#exchange.isOver) {
      const next = this.#queue.shift()
      if (next === undefined) return
      if (next.kind === 'end') {
        this.#writeAwkward()
        this.#exchange.response.end()
        this.#stopped = true
      } else {
        this.#pass(next)
      }
    }
  }

  #pass(queued: Queued): void {
    if (queued.kind !== 'content') {
      if (queued.kind !== 'done' || !this.#has('no-done')) this.#write(queued.frame)
      return
    }
    if (this.#contentFrames === 0 && this.#strikeAt(0, queued.frame)) return
    this.#contentFrames += 1
    if (this.#isAt('bad-chunk')) {
      this.#breakChunks()
    } else if (this.#isAt('mid-error')) {
      this.#failInside()
    } else {
      this.#write(this.#isAt('garbage') ? truncated(queued.frame) : queued.frame)
      this.#strikeAt(this.#contentFrames, null)
    }
  }

  #isAt(kind: StreamFault['kind']): boolean {
    return this.#faults.some(
      (fault) => fault.kind === kind && 'events' in fault && fault.events === this.#contentFrames,
    )
  }

  #strikeAt(events: number, notYetWritten: string | null): boolean {
    return this.#faults.some(
      (fault) => 'events' in fault && fault.events === events && this.#strike(fault, notYetWritten),
    )
  }

  /** What happens after the nth event. Returns whether the stream stops passing for now. */
  #strike(fault: StreamFault, notYetWritten: string | null): boolean {
    if (this.#spent.has(fault)) return false
    this.#spent.add(fault)
    if (fault.kind === 'cut') {
      this.#breakOff('fin')
    } else if (fault.kind === 'reset-at') {
      this.#breakOff('reset')
    } else if (fault.kind === 'end-at') {
      this.#stopped = true
      this.#writeAwkward()
      this.start()
      this.#exchange.response.end()
    } else if (fault.kind === 'stall') {
      this.#isHeldUp = true
      if (notYetWritten !== null) {
        this.#queue.unshift({ kind: 'content', frame: notYetWritten })
      }
      this.start()
      this.#exchange.later(fault.delayMs, () => {
        this.#isHeldUp = false
        this.#pump()
      })
    } else {
      return false
    }
    return true
  }

  /** Lets everything written so far reach the other side first: RST discards what is on its way. */
  #breakOff(how: 'reset' | 'fin'): void {
    this.#stopped = true
    this.#writeAwkward()
    this.start()
    const { request } = this.#exchange
    request.socket.write('', () => setImmediate(() => this.#exchange.breakOff(how)))
  }

  #breakChunks(): void {
    this.#stopped = true
    this.#writeAwkward()
    this.start()
    const { socket } = this.#exchange.request
    socket.write('not-a-chunk-size\r\n{"choices":\r\n', () => this.#exchange.breakOff('fin'))
  }

  #failInside(): void {
    this.#stopped = true
    this.#write(this.#errorFrame)
    this.#writeAwkward()
    this.#exchange.response.end()
  }

  #write(frame: string): void {
    const { response, machine } = this.#exchange
    this.#silentSinceMs = machine.clock.nowMs()
    if (this.#has('split-utf8')) {
      this.#awkward.push(frame)
      if (this.#awkward.length >= framesJoined) this.#writeAwkward()
      return
    }
    if (!response.headersSent) {
      response.writeHead(200, streamHeaders(this.#exchange, this.#contentType))
    }
    response.write(frame)
  }

  #writeAwkward(): void {
    if (this.#awkward.length === 0) return
    const text = this.#awkward.join('').replaceAll('\n', '\r\n')
    this.#awkward = []
    this.start()
    for (const piece of splitAwkwardly(Buffer.from(text))) this.#exchange.response.write(piece)
  }

  #ping(everyMs: number): void {
    this.#exchange.later(everyMs, () => {
      if (this.#stopped) return
      const { clock } = this.#exchange.machine
      if (clock.nowMs() - this.#silentSinceMs >= everyMs) {
        this.start()
        this.#exchange.response.write(': ping\n\n')
        this.#silentSinceMs = clock.nowMs()
      }
      this.#ping(everyMs)
    })
  }

  #has(kind: StreamFault['kind']): boolean {
    return this.#faults.some((fault) => fault.kind === kind)
  }
}

/** Frames that leave together, so that a reader must find the borders itself. */
const framesJoined = 3

/** The frame with the end of its JSON missing; the border of the frame stays. */
function truncated(frame: string): string {
  const body = frame.trimEnd()
  const border = frame.slice(body.length)
  return body.slice(0, Math.ceil(body.length * 0.6)) + border
}
