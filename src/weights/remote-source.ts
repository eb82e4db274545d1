/** A file behind HTTP, read by ranges. */
import type { ByteSource } from '#weights/byte-source.ts'
import {
  connectionFailure,
  discard,
  isTransientStatus,
  retryAfterMs,
} from '#weights/http-client.ts'
import { retrying, TransientError } from '#weights/retry.ts'
import type { HttpLocation, SourceContext } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

const failuresMax = 4

/** @throws {WeightsError} where the size is not known: then the end of the file cannot be checked. */
export function remoteSource(
  location: HttpLocation,
  sizeBytes: number | null,
  context: SourceContext,
): ByteSource {
  const { host, pathname } = new URL(location.url)
  const name = `${host}${pathname}`
  if (sizeBytes === null) {
    throw new WeightsError('wrong_content', `${name} does not say how large it is; pull it first`)
  }
  return {
    name,
    sizeBytes,
    read: (offset, length) => {
      const end = Math.min(sizeBytes, offset + length)
      if (offset >= end) return Promise.resolve(Buffer.alloc(0))
      return retrying(() => readRange(location, offset, end, context), failuresMax, context)
    },
  }
}

async function readRange(
  location: HttpLocation,
  begin: number,
  end: number,
  { http, signal, clock }: SourceContext,
): Promise<Buffer> {
  const headers = { ...location.headers, range: `bytes=${begin}-${end - 1}` }
  const answer = await http.request({ url: location.url, headers, signal })
  const { host } = new URL(answer.url)
  const { status } = answer
  if (status !== 206 && !(status === 200 && begin === 0)) {
    discard(answer)
    if (status === 200) {
      throw new WeightsError('wrong_content', `${host} sends whole files only; pull it first`)
    }
    if (isTransientStatus(status)) {
      throw new TransientError(`${host} answers ${status}`, {
        retryAfterMs: retryAfterMs(answer.headers, clock.nowMs()),
      })
    }
    throw location.explain(status, answer.headers)
  }
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= end - begin) break // a whole file where a part was asked for
    }
  } catch (error) {
    signal.throwIfAborted()
    throw connectionFailure(error, host)
  } finally {
    answer.body.on('error', () => {})
  }
  if (bytes < end - begin) throw new TransientError(`${host} ended its answer too early`)
  return Buffer.concat(chunks).subarray(0, end - begin)
}
