/** Relays an answer in one piece, or of bytes that are nobody's business: JSON, sound, pictures. */
import type { IncomingHttpHeaders } from 'node:http'
import { forwardedAnswerHeaders } from '#gateway/headers.ts'
import type { AnswerRelay, RelayOptions } from '#gateway/relay.ts'
import { ClientWriter, withoutNames } from '#gateway/relays/client-writer.ts'
import type { Usage } from '#openai/usage.ts'
import { jsonMembers, lastMemberValue } from '#std/json-members.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

export class WholeRelay implements AnswerRelay {
  readonly streams = false
  readonly engineFailed = false
  readonly engineWords = null
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
  firstByteAtMs: number | null = null

  constructor(options: RelayOptions, status: number, headers: IncomingHttpHeaders) {
    this.#options = options
    this.#status = status
    this.#writer = new ClientWriter(options)
    this.#isJson =
      (headers['content-type'] ?? '').includes('json') && headers['content-encoding'] === undefined
    this.#kept = this.#isJson ? [] : null
    this.#renames = this.#isJson && options.rename !== null
    this.#headers = forwardedAnswerHeaders(headers)
    const length = headers['content-length']
    if (length !== undefined && !this.#renames) this.#headers.push('content-length', String(length))
  }

  push(chunk: Buffer): string | null {
    this.firstByteAtMs ??= this.#options.nowMs()
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
    if (this.#kept === null || looksLikeJson(this.#body())) return null
    return 'it sent an answer that is cut off or not JSON'
  }

  endedBefore(): boolean {
    return false
  }

  finish(): void {
    if (this.#kept === null) {
      this.#writer.begin(this.#status, this.#headers)
      this.#writer.end()
      return
    }
    const body = this.#renamedBody(this.#body())
    const headers = withoutNames(this.#headers, ['content-length'])
    this.#writer.begin(this.#status, [...headers, 'content-length', String(body.length)])
    this.#writer.end(body)
  }

  interrupt(code: 'stream_interrupted' | 'draining'): void {
    this.#options.exchange.errorCode = code
    this.#options.exchange.response.destroy()
  }

  usage(): Usage | null {
    if (this.#kept === null || this.#kept.length === 0) return null
    const body = this.#body()
    return this.#options.exchange.route.api.readUsage((name) => lastMemberValue(body, name))
  }

  contentEvents(): null {
    return null
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
          text: JSON.stringify(this.#options.rename?.to),
        },
      ])
    } catch {
      return body
    }
  }
}

/** Embeddings of a large batch are some megabytes; what is longer streams through unread. */
const wholeBytesMax = 8 * 1024 * 1024

const space = 0x20
const opening = new Set([...'{["'].map((bracket) => bracket.charCodeAt(0)))
const closing = new Set([...'}]"'].map((bracket) => bracket.charCodeAt(0)))

/** Whether bytes begin and end as JSON does: a look that catches an empty answer and a cut one. */
function looksLikeJson(body: Buffer): boolean {
  let start = 0
  let end = body.length - 1
  while (start < end && (body[start] as number) <= space) start++
  while (end > start && (body[end] as number) <= space) end--
  if (opening.has(body[start] ?? 0)) return start < end && closing.has(body[end] ?? 0)
  return /^(-?\d[\d.eE+-]*|true|false|null)$/.test(body.toString('latin1', start, end + 1))
}
