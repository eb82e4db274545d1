/**
 * Relays an event stream. Events go out complete or not at all, so that an error event never lands
 * inside another one.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { errorCatalog } from '#core/errors.ts'
import { breakOff } from '#gateway/client-error.ts'
import { emptyComment, noteFiller } from '#gateway/half-close.ts'
import { forwardedAnswerHeaders } from '#gateway/headers.ts'
import type { AnswerRelay, RelayOptions } from '#gateway/relay.ts'
import { ClientWriter, withoutNames } from '#gateway/relays/client-writer.ts'
import { errorMessageIn, isRefusal } from '#openai/engine-error.ts'
import type { StreamShape } from '#openai/stream-shape.ts'
import type { Usage } from '#openai/usage.ts'
import { frameData } from '#std/frame-data.ts'
import { FrameSplitter, type Framing } from '#std/frame-splitter.ts'
import { jsonObject } from '#std/json-object.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

const streamHeaders = ['cache-control', 'no-cache', 'x-accel-buffering', 'no']

/**
 * How many of the last frames are kept, to see how the answer ended: answer, usage, end marker. And of
 * the first, where some engines tell what the prompt was, and most begin with events without content.
 */
const framesKept = 4

/** A frame longer than this ends the answer: it is held back whole until its end comes. */
const frameBytesMax = 16 * 1024 * 1024

export class StreamRelay implements AnswerRelay {
  readonly streams = true
  reachedClient = false
  engineFailed = false
  engineWords: string | null = null
  readonly #options: RelayOptions
  readonly #shape: StreamShape
  readonly #writer: ClientWriter
  readonly #splitter: FrameSplitter
  /** The name to replace in each event, and what with, as JSON. */
  readonly #rename: { readonly from: string; readonly to: string } | null
  readonly #first: Buffer[] = []
  readonly #last: Buffer[] = []
  /** How many choices must end, and which have. */
  readonly #choices: number
  readonly #ended = new Set<number>()
  firstByteAtMs: number | null = null
  #events = 0
  #usage: Usage | null = null
  /** Frames of the current piece that go out together. */
  #out: Buffer[] = []

  constructor(
    options: RelayOptions,
    status: number,
    headers: IncomingHttpHeaders,
    shape: StreamShape,
  ) {
    this.#options = options
    this.#shape = shape
    this.#splitter = new FrameSplitter(shape.framing)
    this.#writer = new ClientWriter(options)
    const { exchange, rename } = options
    this.#choices = exchange.asked?.choices ?? 1
    this.#rename =
      rename === null ? null : { from: JSON.stringify(rename.from), to: JSON.stringify(rename.to) }
    const kept = forwardedAnswerHeaders(headers)
    this.#writer.begin(status, [...withoutNames(kept, streamHeaders), ...streamHeaders])
    exchange.response.flushHeaders()
    noteFiller(exchange.response, shape.framing === 'sse' ? emptyComment : '\n')
  }

  push(chunk: Buffer): string | null {
    this.firstByteAtMs ??= this.#options.nowMs()
    let wrong: string | null = null
    this.#splitter.push(chunk, (frame) => {
      wrong ??= this.#take(frame)
    })
    this.#flush()
    if (wrong === null && this.#splitter.heldBytes > frameBytesMax) {
      return `it sent an event of more than ${frameBytesMax} bytes`
    }
    return wrong
  }

  end(): string | null {
    const last = this.#lastFrame()
    if (last !== null) {
      const wrong = this.#take(last)
      if (wrong !== null) return wrong
      this.#flush()
    }
    const ending = this.#ending()
    this.engineFailed = ending === 'error'
    if (ending === 'open') return 'it ended its answer without saying that it was done'
    if (ending !== 'error' && this.#options.rest?.isBehind === true) return this.#differs()
    this.#writeEndMarker(ending)
    return null
  }

  endedBefore(): boolean {
    const ending = this.#ending()
    this.engineFailed = ending === 'error'
    if (ending === 'open' || this.#options.rest?.isBehind === true) return false
    this.#writeEndMarker(ending)
    return true
  }

  /** The end marker, where the engine did not come to it. */
  #writeEndMarker(ending: Ending): void {
    const { endMarker } = this.#shape
    if (ending === 'whole' && endMarker !== null) this.#writer.write(endMarker)
  }

  #ending(): Ending {
    let isWhole = false
    for (const frame of this.#last) {
      const data = this.#dataOf(frame)
      if (data === null) continue
      const meaning = this.#shape.meaning(data)
      if (meaning === 'end' || meaning === 'error') return meaning
      if (meaning === 'complete') isWhole = true
      if (meaning === 'choices-end' && (this.#choices === 1 || this.#ended.size >= this.#choices)) {
        isWhole = true
      }
    }
    return isWhole ? 'whole' : 'open'
  }

  finish(): void {
    this.#writer.end()
  }

  interrupt(code: 'stream_interrupted' | 'draining', message: string): void {
    const { exchange } = this.#options
    exchange.errorCode = code
    const { status } = errorCatalog[code]
    const frame = this.#shape.errorFrame({ status, code, message, param: null })
    breakOff(exchange.response, frame, this.#options.writeStallMs)
  }

  usage(): Usage | null {
    const last = this.#usage ?? this.#usageIn(this.#last.toReversed())
    if (last !== null && last.promptTokens > 0) return last
    const first = this.#usageIn(this.#first)
    return last === null || first === null
      ? (last ?? first)
      : { ...first, completionTokens: last.completionTokens }
  }

  contentEvents(): number {
    const events = this.#events
    const both = Math.max(0, this.#first.length + this.#last.length - events)
    const ends = [...this.#first, ...this.#last.slice(both)]
    return events - ends.filter((frame) => !this.#isContent(frame)).length
  }

  release(): void {
    this.#writer.release()
  }

  /**
   * The last event may lack its blank line, which it gets here: others may follow it. Half of one is
   * no event.
   */
  #lastFrame(): Buffer | null {
    const frame = this.#splitter.takeRest()
    // The second half of the line end before it ends nothing itself.
    if (frame === null || frame.equals(lineEnd)) return frame
    const data = this.#dataOf(frame)
    if (data === null) return null
    if (this.#shape.meaning(data) !== 'end' && jsonObject(data) === null) return null
    const isOneLine = this.#shape.framing === 'ndjson' || frame.at(-1) === lineFeed
    return Buffer.concat([frame, lineEnd, ...(isOneLine ? [] : [lineEnd])])
  }

  #take(frame: Buffer): string | null {
    if (looksBroken(frame, this.#shape.framing) && this.#isBroken(frame)) {
      return 'it sent an event that is not valid JSON'
    }
    if (this.#options.hidesUsage && isUsageOnly(frame)) {
      const data = this.#dataOf(frame)
      const usage = data === null ? null : this.#shape.readUsage(data)
      // Azure begins with an event that has no choices and a usage of null: that is no usage event.
      if (usage !== null) {
        this.#usage = usage
        return null
      }
    }
    if (frame[0] === colon && this.#dataOf(frame) === null) {
      this.#out.push(frame)
      return null
    }
    if (this.#choices > 1) this.#noteEnded(frame)
    const { exchange, rest, soFar } = this.#options
    if (soFar !== null && this.#failed(frame) && soFar.canGoOn) return 'it said that it failed'
    exchange.events++
    this.#events++
    if (this.#first.length < framesKept) this.#first.push(frame)
    this.#last.push(frame)
    if (this.#last.length > framesKept) this.#last.shift()
    const named = this.#rename === null ? frame : renamed(frame, this.#rename)
    if (rest === null) {
      this.#tell(named)
      return null
    }
    const retold = rest.retell(named)
    if (retold.kind === 'differs') return this.#differs()
    for (const told of retold.frames) this.#tell(told)
    return null
  }

  #differs(): string {
    const { soFar, endpoint } = this.#options
    soFar?.differsAt(endpoint)
    return 'it began another answer'
  }

  #tell(frame: Buffer): void {
    this.#options.soFar?.note(frame)
    this.#out.push(frame)
  }

  #flush(): void {
    if (this.#out.length === 0) return
    this.reachedClient = true
    this.#writer.write(this.#out.length === 1 ? (this.#out[0] as Buffer) : Buffer.concat(this.#out))
    this.#out = []
  }

  #noteEnded(frame: Buffer): void {
    const data = this.#dataOf(frame)
    if (data === null) return
    for (const index of this.#shape.endedChoices?.(data) ?? []) this.#ended.add(index)
  }

  #dataOf(frame: Buffer): string | null {
    return frameData(frame, this.#shape.framing)
  }

  #usageIn(frames: readonly Buffer[]): Usage | null {
    for (const frame of frames) {
      const data = this.#dataOf(frame)
      const usage = data === null ? null : this.#shape.readUsage(data)
      if (usage !== null) return usage
    }
    return null
  }

  #isContent(frame: Buffer): boolean {
    const data = this.#dataOf(frame)
    return data !== null && this.#shape.isContent(data)
  }

  /**
   * Whether the engine says that it failed where another may not. Engines say it first, if they say
   * it: no more of each frame is looked at.
   */
  #failed(frame: Buffer): boolean {
    if (!frame.toString('latin1', 0, 40).includes('error')) return false
    const data = this.#dataOf(frame)
    if (data === null || this.#shape.meaning(data) !== 'error') return false
    // What it says of a request that we wrote is nothing that the client could mend.
    if (this.#options.rest === null && isRefusal(data)) return false
    this.engineWords = errorMessageIn(data)
    return true
  }

  #isBroken(frame: Buffer): boolean {
    const data = this.#dataOf(frame)
    if (data === null || !data.trimStart().startsWith('{')) return false
    try {
      JSON.parse(data)
      return false
    } catch {
      return true
    }
  }
}

/** How the last frames end an answer: with its end marker, without, as a failure, or not at all. */
type Ending = 'end' | 'whole' | 'error' | 'open'

const colon = 0x3a
const lineFeed = 0x0a
const lineEnd = Buffer.from([lineFeed])
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Whether an event that begins like JSON does not end like it, seen from two bytes. Most events
 * are cleared by that, and only the others are parsed.
 */
function looksBroken(frame: Buffer, framing: Framing): boolean {
  let end = frame.length - 1
  while (end >= 0 && (frame[end] as number) <= 0x20) end--
  if (frame[end] === closeBrace) return false
  return framing === 'ndjson' || frame.includes(openBrace)
}

/** Whether this may be the extra event of `include_usage`: a usage and no choices. */
function isUsageOnly(frame: Buffer): boolean {
  return frame.includes('"usage"') && /"choices":\s*\[\s*\]/.test(frame.toString('latin1'))
}

function renamed(frame: Buffer, names: { readonly from: string; readonly to: string }): Buffer {
  const at = frame.indexOf('"model"')
  if (at === -1) return frame
  const start = frame.indexOf(names.from, at + 7)
  if (start === -1 || start > at + 10) return frame
  const end = start + Buffer.byteLength(names.from)
  return spliceBytes(frame, [{ start, end, text: names.to }])
}
