/**
 * Downloads one file over HTTP into a partial file: several ranges at a time, over cut connections,
 * limits and expired links, until every byte is there. Whether they are the right bytes is for the
 * caller to find out.
 */
import type { Range } from '#std/range-set.ts'
import { sleep } from '#std/sleep.ts'
import {
  connectionFailure,
  discard,
  type HttpAnswer,
  type HttpClient,
  isTransientStatus,
  retryAfterMs,
} from '#weights/http-client.ts'
import type { PartialFile } from '#weights/partial-file.ts'
import { type Patience, TransientError, waitAfter } from '#weights/retry.ts'
import type { HttpLocation } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

export interface DownloadRequest extends Patience {
  readonly http: HttpClient
  readonly location: HttpLocation
  readonly partial: PartialFile
  /** Null where the server does not say: then it comes in one piece, and ends where it ends. */
  readonly sizeBytes: number | null
  /** The content is known by a hash, so that no ETag has to tell whether it is still the same. */
  readonly isPinned: boolean
  /** Told of each piece that has been written. */
  readonly onBytes: (bytes: number) => void
  /** Told when bytes that were counted do not count any longer. */
  readonly onReset: () => void
}

/** More connections only help where each is slowed down; hubs begin to refuse beyond a few. */
const parallelRanges = 4

/** Small enough that the four end together, large enough that asking for the next costs nothing. */
const rangeBytesMin = 8 * 1024 * 1024
const rangeBytesMax = 64 * 1024 * 1024

/** Failures in a row, without a byte between them: about three minutes with the waits. */
const failuresMax = 10
/** Starting from zero costs all that was there; a file that changes twice will go on changing. */
const restartsMax = 2

/** The bytes that are there belong to another version of the file. */
class ContentChanged extends Error {}
/** The server sends whole files only. */
class NoRanges extends Error {}

/** Resolves with the size. Rejects with a {@link WeightsError} or the reason of `signal`. */
export async function download(request: DownloadRequest): Promise<number> {
  const { partial, sizeBytes, location, onReset } = request
  for (let restarts = 0; ; restarts++) {
    try {
      if (sizeBytes === null) return await downloadWhole(request)
      await downloadRanges(request, sizeBytes)
      return sizeBytes
    } catch (error) {
      if (error instanceof NoRanges) return downloadWhole(request)
      if (!(error instanceof ContentChanged)) throw error
      if (restarts >= restartsMax) {
        const { host } = new URL(location.url)
        throw new WeightsError('wrong_content', `${host} keeps changing the file: ${error.message}`)
      }
      await partial.reset()
      onReset()
    }
  }
}

async function downloadRanges(request: DownloadRequest, sizeBytes: number): Promise<void> {
  const { partial, signal } = request
  const pending = pieces(partial.finished.missing(sizeBytes), sizeBytes)
  const first = pending.shift()
  if (first === undefined) return
  // The first failure ends the others: they would only download for a file that will not be.
  const group = new AbortController()
  const link = new RangeLink({ ...request, signal: AbortSignal.any([signal, group.signal]) })
  const take = async (range: Range | undefined): Promise<void> => {
    try {
      for (let next = range; next !== undefined; next = pending.shift()) {
        await link.fetch(next, sizeBytes)
      }
    } catch (error) {
      group.abort(error)
      throw error
    }
  }
  // Whether the server knows ranges is only sure from its first answer.
  const running = [take(first)]
  await Promise.race([link.rangesKnown, running[0]])
  const helpers = Math.min(parallelRanges - 1, pending.length)
  for (let each = 0; each < helpers; each++) running.push(take(pending.shift()))
  const outcomes = await Promise.allSettled(running)
  signal.throwIfAborted()
  if (group.signal.aborted) throw group.signal.reason
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

function pieces(missing: readonly Range[], sizeBytes: number): Range[] {
  const share = Math.ceil(sizeBytes / (parallelRanges * 4))
  const bytes = Math.min(rangeBytesMax, Math.max(rangeBytesMin, share))
  return missing.flatMap(({ begin, end }) =>
    Array.from({ length: Math.ceil((end - begin) / bytes) }, (_, index) => ({
      begin: begin + index * bytes,
      end: Math.min(end, begin + (index + 1) * bytes),
    })),
  )
}

/** What the ranges of one download share: where the redirects led, and when to leave it alone. */
class RangeLink {
  readonly #request: DownloadRequest
  /** Where the content was found last; a signed link of it spares a redirect for each range. */
  #directUrl: string | null = null
  #pausedUntilMs = 0
  #tellRanges: () => void = () => {}
  readonly rangesKnown: Promise<void>

  constructor(request: DownloadRequest) {
    this.#request = request
    this.rangesKnown = new Promise((resolve) => {
      this.#tellRanges = resolve
    })
  }

  async fetch(range: Range, sizeBytes: number): Promise<void> {
    const { clock, signal } = this.#request
    let { begin } = range
    let failures = 0
    while (begin < range.end) {
      const pauseMs = this.#pausedUntilMs - clock.nowMs()
      if (pauseMs > 0) await sleep(clock, pauseMs, signal)
      try {
        const answer = await this.#ask(begin, range.end)
        this.#checkAnswer(answer, begin, sizeBytes)
        begin = await receive(this.#request, answer, begin, range.end, () => {
          failures = 0
        })
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof CutShort) begin = error.begin
        if (!(error instanceof TransientError)) throw error
        failures += 1
        if (error.retryAfterMs !== null) {
          this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.nowMs() + error.retryAfterMs)
        }
        await waitAfter(error, failures, failuresMax, this.#request)
      }
    }
  }

  /** A link that has run out is forgotten and asked for again, where it came from. */
  async #ask(begin: number, end: number): Promise<HttpAnswer> {
    const { http, location, partial, isPinned, signal } = this.#request
    const direct = this.#directUrl
    const range = `bytes=${begin}-${end - 1}`
    const condition =
      isPinned || partial.validator === null ? {} : { 'if-range': partial.validator }
    const answer = await http.request({
      url: direct ?? location.url,
      headers: {
        ...(direct === null || sameHost(direct, location.url) ? location.headers : {}),
        ...condition,
        range,
      },
      signal,
    })
    if (
      direct !== null &&
      direct !== location.url &&
      [400, 401, 403, 404, 410].includes(answer.status)
    ) {
      discard(answer)
      this.#directUrl = null
      return this.#ask(begin, end)
    }
    return answer
  }

  #checkAnswer(answer: HttpAnswer, begin: number, sizeBytes: number): void {
    const { partial, isPinned } = this.#request
    const { status, headers, url } = answer
    const { host } = new URL(url)
    if (status === 200) {
      discard(answer)
      // With If-Range, 200 means that the file is another one now.
      if (partial.finished.size > 0 && !isPinned && partial.validator !== null) {
        throw new ContentChanged(`${host} has another version of it`)
      }
      throw new NoRanges()
    }
    if (status === 416) {
      discard(answer)
      throw new ContentChanged(`${host} has no byte ${begin} of it`)
    }
    if (status !== 206) throw refusal(this.#request, answer)
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? []
    if (Number(from) !== begin) {
      discard(answer)
      throw new WeightsError(
        'wrong_content',
        `${host} was asked for byte ${begin} and answers with ${headers['content-range'] ?? 'no Content-Range'}`,
      )
    }
    if (total !== '*' && Number(total) !== sizeBytes) {
      discard(answer)
      throw new ContentChanged(`it has ${total} bytes there and not ${sizeBytes}`)
    }
    const validator = strongValidator(headers)
    if (!isPinned && partial.validator !== null && validator !== partial.validator) {
      discard(answer)
      throw new ContentChanged(`${host} has another version of it`)
    }
    partial.validator ??= validator
    this.#directUrl = url
    this.#tellRanges()
  }
}

/** From the start to the end, in one answer: all that some servers can. */
async function downloadWhole(request: DownloadRequest): Promise<number> {
  const { http, location, partial, sizeBytes, signal, onReset } = request
  for (let failures = 1; ; failures++) {
    if (partial.finished.size > 0) {
      await partial.reset()
      onReset()
    }
    try {
      const answer = await http.request({ url: location.url, headers: location.headers, signal })
      if (answer.status !== 200) throw refusal(request, answer)
      const promised = answer.headers['content-length']
      const end = sizeBytes ?? (promised === undefined ? null : Number(promised))
      return await receive(request, answer, 0, end, () => {})
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof TransientError)) throw error
      await waitAfter(error, failures, failuresMax, request)
    }
  }
}

/** The connection ended early; what had come is written. */
class CutShort extends TransientError {
  readonly begin: number
  constructor(begin: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.begin = begin
  }
}

/** Writes a body from `begin` on, and says where it ended. `end` null: wherever it ends by itself. */
async function receive(
  request: DownloadRequest,
  { body, url, headers }: HttpAnswer,
  begin: number,
  end: number | null,
  onProgress: () => void,
): Promise<number> {
  const { partial, onBytes, signal } = request
  const { host } = new URL(url)
  const encoding = headers['content-encoding'] ?? 'identity'
  let at = begin
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  try {
    if (encoding !== 'identity') {
      throw new WeightsError('wrong_content', `${host} sends the file packed as ${encoding}`)
    }
    for (;;) {
      let next: IteratorResult<Buffer>
      try {
        next = await chunks.next()
      } catch (error) {
        signal.throwIfAborted()
        const failure = connectionFailure(error, host)
        throw new CutShort(at, failure.message, error)
      }
      // Read to its end, the connection can be used again.
      if (next.done || at === end) break
      const chunk = end === null ? next.value : next.value.subarray(0, end - at)
      await partial.write(chunk, at)
      at += chunk.length
      onBytes(chunk.length)
      onProgress()
    }
  } finally {
    body.on('error', () => {})
    body.destroy()
  }
  if (end !== null && at < end) throw new CutShort(at, `${host} ended its answer too early`)
  return at
}

function refusal(request: DownloadRequest, answer: HttpAnswer): Error {
  const { location, clock } = request
  const { status, headers, url } = answer
  discard(answer)
  if (!isTransientStatus(status)) return location.explain(status, headers)
  const { host } = new URL(url)
  const what = status === 429 ? 'has had enough requests for now (429)' : `answers ${status}`
  return new TransientError(`${host} ${what}`, {
    retryAfterMs: retryAfterMs(headers, clock.nowMs()),
  })
}

/** Only these may be used in If-Range: a weak ETag does not promise the same bytes. */
function strongValidator(headers: HttpAnswer['headers']): string | null {
  const { etag } = headers
  if (etag !== undefined && !etag.startsWith('W/')) return etag
  return headers['last-modified'] ?? null
}

function sameHost(one: string, other: string): boolean {
  return new URL(one).host === new URL(other).host
}
