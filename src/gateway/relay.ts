/**
 * Passes an answer on to the client, byte for byte where it can, and knows whether it was whole.
 * Events go out complete or not at all, so that an error event never lands inside another one.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { ServedModel } from '#core/endpoint.ts'
import type { ModelName } from '#core/ids.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import { forwardedAnswerHeaders } from '#gateway/headers.ts'
import { noteFiller } from '#gateway/server.ts'
import type { StreamShape } from '#openai/stream-shape.ts'
import type { Usage } from '#openai/usage.ts'
import { FrameSplitter } from '#std/frame-splitter.ts'
import { jsonMembers, memberValue } from '#std/json-members.ts'
import { spliceBytes } from '#std/splice-bytes.ts'
import { sseData } from '#std/sse-data.ts'

export interface RelayOptions {
  readonly exchange: Exchange
  readonly endpoint: Endpoint
  readonly model: ModelName
  readonly served: ServedModel
  readonly nowMs: () => number
  readonly answerHeaders: () => readonly string[]
  /** Stops the endpoint from sending more, and lets it go on. */
  readonly pause: () => void
  readonly resume: () => void
}

export interface AnswerRelay {
  readonly streams: boolean
  /** Whether a byte of an answer's body went out: then nobody else can begin it again. */
  readonly reachedClient: boolean
  /** The engine itself said in mid-stream that it failed. */
  readonly engineFailed: boolean
  /** Takes a piece; what is wrong with the answer, or null. */
  push(chunk: Buffer): string | null
  /** The endpoint closed cleanly; what is missing, or null when the answer is whole. */
  end(): string | null
  /** Ends the client's answer well. */
  finish(): void
  /** Says in the stream that the answer is incomplete, and breaks the connection. */
  interrupt(detail: string): void
  usage(): Usage | null
  /** How long ago the first byte came. */
  sinceFirstByteMs(): number
  /** Lets go of the response; nothing is sent after it but what `finish` or `interrupt` sends. */
  release(): void
}

export function relayFor(
  options: RelayOptions,
  status: number,
  headers: IncomingHttpHeaders,
): AnswerRelay {
  const type = headers['content-type'] ?? ''
  const { stream } = options.exchange.route.api
  const framed =
    stream !== null &&
    headers['content-encoding'] === undefined &&
    (stream.framing === 'sse'
      ? type.startsWith('text/event-stream')
      : type.startsWith('application/x-ndjson') && options.exchange.asked?.stream === true)
  return framed
    ? new StreamRelay(options, status, headers, stream)
    : new WholeRelay(options, status, headers)
}

/** What both relays do: the status line, back-pressure, and the end. */
class ClientWriter {
  readonly #response: ServerResponse
  readonly #options: RelayOptions
  #waiting = false
  readonly #onDrain = (): void => {
    this.#waiting = false
    this.#options.resume()
  }

  constructor(options: RelayOptions) {
    this.#options = options
    this.#response = options.exchange.response
  }

  begin(status: number, headers: readonly string[]): void {
    if (this.#response.headersSent) return
    this.#response.writeHead(status, [...headers, ...this.#options.answerHeaders()])
  }

  write(bytes: Buffer | string): void {
    this.#options.exchange.bytesOut += bytes.length
    if (this.#response.write(bytes) || this.#waiting) return
    this.#waiting = true
    this.#response.once('drain', this.#onDrain)
    this.#options.pause()
  }

  release(): void {
    if (this.#waiting) this.#response.off('drain', this.#onDrain)
  }
}

const streamHeaders = ['cache-control', 'no-cache', 'x-accel-buffering', 'no']

/** How many of the last frames are kept, to see how the answer ended: answer, usage, end marker. */
const framesKept = 4

/** A frame longer than this is passed on as it comes: a picture, not a token. */
const frameBytesMax = 16 * 1024 * 1024

class StreamRelay implements AnswerRelay {
  readonly streams = true
  reachedClient = false
  engineFailed = false
  readonly #options: RelayOptions
  readonly #shape: StreamShape
  readonly #writer: ClientWriter
  readonly #splitter: FrameSplitter
  readonly #hidesUsage: boolean
  /** The name to replace in each event, and what with; null when they are the same. */
  readonly #rename: { readonly from: string; readonly to: string } | null
  readonly #last: Buffer[] = []
  readonly #startedMs: number
  #firstByteMs: number | null = null
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
    this.#startedMs = options.nowMs()
    this.#splitter = new FrameSplitter(shape.framing)
    this.#writer = new ClientWriter(options)
    const { exchange, endpoint, served, model } = options
    const asked = exchange.asked
    this.#hidesUsage = asked?.askUsage != null && endpoint.supportsStreamUsage
    this.#rename =
      served.servedName === model
        ? null
        : { from: JSON.stringify(served.servedName), to: JSON.stringify(model) }
    const kept = forwardedAnswerHeaders(headers)
    this.#writer.begin(status, [...withoutNames(kept, streamHeaders), ...streamHeaders])
    exchange.response.flushHeaders()
    noteFiller(exchange.response, shape.framing === 'sse' ? ': \n\n' : '\n')
  }

  push(chunk: Buffer): string | null {
    this.#firstByteMs ??= this.#options.nowMs()
    let wrong: string | null = null
    this.#splitter.push(chunk, (frame) => {
      wrong ??= this.#take(frame)
    })
    this.#flush()
    if (wrong === null && this.#splitter.heldBytes > frameBytesMax) {
      return `sent an event of more than ${frameBytesMax} bytes`
    }
    return wrong
  }

  end(): string | null {
    const rest = this.#splitter.takeRest()
    if (rest !== null) {
      // The last event may lack its blank line; half of one is no event.
      const wrong = this.#take(rest)
      if (wrong !== null) return wrong
      this.#flush()
    }
    let complete = false
    for (const frame of this.#last) {
      const data = this.#dataOf(frame)
      if (data === null) continue
      const meaning = this.#shape.meaning(data)
      if (meaning === 'end') return null
      if (meaning === 'error') {
        this.engineFailed = true
        return null
      }
      if (meaning === 'complete') complete = true
    }
    if (!complete) return 'it ended its answer without saying that it was done'
    if (this.#shape.endMarker !== null) this.#writer.write(this.#shape.endMarker)
    return null
  }

  finish(): void {
    this.#options.exchange.response.end()
  }

  interrupt(detail: string): void {
    const { exchange, endpoint } = this.#options
    exchange.errorCode = 'stream_interrupted'
    const { response } = exchange
    response.write(
      this.#shape.errorFrame({
        status: 502,
        code: 'stream_interrupted',
        message: `The engine on "${endpoint.id}" stopped in the middle of its answer: ${detail}.`,
        param: null,
      }),
    )
    // A clean end would look like a whole answer: the connection ends without one.
    response.socket?.destroySoon()
  }

  usage(): Usage | null {
    if (this.#usage !== null) return this.#usage
    for (const frame of this.#last.toReversed()) {
      const data = this.#dataOf(frame)
      const usage = data === null ? null : this.#shape.readUsage(data)
      if (usage !== null) return usage
    }
    return null
  }

  sinceFirstByteMs(): number {
    return this.#options.nowMs() - (this.#firstByteMs ?? this.#startedMs)
  }

  release(): void {
    this.#writer.release()
  }

  #take(frame: Buffer): string | null {
    if (looksBroken(frame, this.#shape.framing) && this.#isBroken(frame)) {
      return 'it sent an event that is not valid JSON'
    }
    if (this.#hidesUsage && frame.includes('"choices"') && isUsageOnly(frame)) {
      const data = this.#dataOf(frame)
      this.#usage = data === null ? null : this.#shape.readUsage(data)
      return null
    }
    if (isComment(frame)) {
      this.#out.push(frame)
      return null
    }
    this.#options.exchange.events++
    this.#last.push(frame)
    if (this.#last.length > framesKept) this.#last.shift()
    this.#out.push(this.#rename === null ? frame : renamed(frame, this.#rename))
    return null
  }

  #flush(): void {
    if (this.#out.length === 0) return
    this.reachedClient = true
    this.#writer.write(this.#out.length === 1 ? (this.#out[0] as Buffer) : Buffer.concat(this.#out))
    this.#out = []
  }

  #dataOf(frame: Buffer): string | null {
    return this.#shape.framing === 'sse' ? sseData(frame) : frame.toString('utf8')
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

/** An answer in one piece, or of bytes that are nobody's business: JSON, sound, pictures. */
class WholeRelay implements AnswerRelay {
  readonly streams = false
  readonly engineFailed = false
  reachedClient = false
  readonly #options: RelayOptions
  readonly #writer: ClientWriter
  readonly #status: number
  readonly #headers: string[]
  readonly #isJson: boolean
  /** The whole body, while it is JSON small enough to look into. */
  #kept: Buffer[] | null
  #keptBytes = 0
  readonly #renames: boolean
  readonly #startedMs: number
  #firstByteMs: number | null = null

  constructor(options: RelayOptions, status: number, headers: IncomingHttpHeaders) {
    this.#options = options
    this.#status = status
    this.#startedMs = options.nowMs()
    this.#writer = new ClientWriter(options)
    this.#isJson =
      (headers['content-type'] ?? '').includes('json') && headers['content-encoding'] === undefined
    this.#kept = this.#isJson ? [] : null
    this.#renames = this.#isJson && options.served.servedName !== options.model
    this.#headers = forwardedAnswerHeaders(headers)
    const length = headers['content-length']
    if (length !== undefined && !this.#renames) this.#headers.push('content-length', String(length))
  }

  push(chunk: Buffer): string | null {
    this.#firstByteMs ??= this.#options.nowMs()
    if (this.#kept !== null) {
      this.#kept.push(chunk)
      this.#keptBytes += chunk.length
      if (this.#keptBytes <= wholeBytesMax) {
        // JSON goes out in one piece at its end, so that until then another endpoint may answer.
        return null
      }
      for (const piece of this.#kept) this.#send(piece)
      this.#kept = null
      return null
    }
    this.#send(chunk)
    return null
  }

  end(): string | null {
    return null
  }

  finish(): void {
    if (this.#kept === null || this.reachedClient) {
      this.#writer.begin(this.#status, this.#headers)
      this.#options.exchange.response.end()
      return
    }
    const body = this.#renamedBody(this.#body())
    const headers = withoutNames(this.#headers, ['content-length', ''])
    this.#writer.begin(this.#status, [...headers, 'content-length', String(body.length)])
    this.#options.exchange.bytesOut += body.length
    if (body.length <= oneWriteBytesMax) {
      // Node puts head and body into one write when the body is text; Latin-1 keeps every byte.
      this.#options.exchange.response.end(body.toString('latin1'), 'latin1')
    } else {
      this.#options.exchange.response.end(body)
    }
  }

  interrupt(): void {
    this.#options.exchange.errorCode = 'stream_interrupted'
    this.#options.exchange.response.destroy()
  }

  usage(): Usage | null {
    if (this.#kept === null || this.#kept.length === 0) return null
    const body = this.#body()
    // Most of an answer is text or vectors that nobody here reads; without the word, no usage.
    if (!usageWords.some((word) => body.includes(word))) return null
    try {
      const answer: Record<string, unknown> = {}
      for (const member of jsonMembers(body)) {
        if (usageKeys.has(member.key)) answer[member.key] = memberValue(body, member)
      }
      return this.#options.exchange.route.api.readUsage(answer)
    } catch {
      return null
    }
  }

  sinceFirstByteMs(): number {
    return this.#options.nowMs() - (this.#firstByteMs ?? this.#startedMs)
  }

  release(): void {
    this.#writer.release()
  }

  #body(): Buffer {
    const kept = this.#kept ?? []
    if (kept.length > 1) this.#kept = [Buffer.concat(kept)]
    return this.#kept?.[0] ?? Buffer.alloc(0)
  }

  #send(chunk: Buffer): void {
    this.#writer.begin(this.#status, this.#headers)
    this.reachedClient = true
    this.#writer.write(chunk)
  }

  #renamedBody(body: Buffer): Buffer {
    if (!this.#renames) return body
    try {
      const member = jsonMembers(body).find(({ key }) => key === 'model')
      if (member === undefined) return body
      return spliceBytes(body, [
        {
          start: member.valueStart,
          end: member.valueEnd,
          text: JSON.stringify(this.#options.model),
        },
      ])
    } catch {
      return body
    }
  }
}

/** Beyond this, copying costs more than a second buffer in the same system call. */
const oneWriteBytesMax = 16 * 1024

/** Where the APIs keep what an answer cost. */
const usageKeys: ReadonlySet<string> = new Set(['usage', 'prompt_eval_count', 'eval_count'])
const usageWords = ['"usage"', '_count"']

/** Embeddings of a large batch are some megabytes; what is longer streams through unread. */
const wholeBytesMax = 8 * 1024 * 1024

function withoutNames(headers: readonly string[], names: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < headers.length; at += 2) {
    if (names.includes(headers[at] as string)) continue
    kept.push(headers[at] as string, headers[at + 1] as string)
  }
  return kept
}

const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d

function isComment(frame: Buffer): boolean {
  return frame[0] === colon
}

/**
 * Whether an event that begins like JSON does not end like it, seen from two bytes. Most events
 * are cleared by that, and only the others are parsed.
 */
function looksBroken(frame: Buffer, framing: 'sse' | 'ndjson'): boolean {
  let end = frame.length - 1
  while (end >= 0 && (frame[end] as number) <= 0x20) end--
  if (frame[end] === closeBrace) return false
  return framing === 'ndjson' || frame.includes(openBrace)
}

/** The extra event of `include_usage`: a usage and no choices. */
function isUsageOnly(frame: Buffer): boolean {
  return /"choices":\s*\[\s*\]/.test(frame.toString('latin1')) && frame.includes('"usage"')
}

function renamed(frame: Buffer, names: { readonly from: string; readonly to: string }): Buffer {
  const at = frame.indexOf('"model"')
  if (at === -1) return frame
  const start = frame.indexOf(names.from, at + 7)
  if (start === -1 || start > at + 10) return frame
  const end = start + Buffer.byteLength(names.from)
  return spliceBytes(frame, [{ start, end, text: names.to }])
}
