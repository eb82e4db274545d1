/** One file of any web server. What it is must be asked for: size, ranges, and a hash if there is one. */
import {
  discard,
  type HttpAnswer,
  type HttpHeaders,
  isTransientStatus,
  retryAfterMs,
} from '#weights/http-client.ts'
import { type HttpReference, isSafePath } from '#weights/reference.ts'
import { retrying, TransientError } from '#weights/retry.ts'
import type { Digest, SourceContext, WeightsSource } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

const failuresMax = 4

export const http: WeightsSource<'http'> = {
  kind: 'http',

  async resolve(reference, context) {
    const { headers, sizeBytes } = await ask(reference.url, context)
    return {
      version: null,
      files: [
        {
          path: fileName(reference),
          sizeBytes,
          digest: digestOf(reference, headers),
          locations: [
            { kind: 'http', url: reference.url, headers: {}, explain: explainer(reference) },
          ],
        },
      ],
    }
  },
}

/** HEAD, or where that is refused (a signed link is only good for GET) the first byte. */
async function ask(
  url: string,
  context: SourceContext,
): Promise<{ headers: HttpHeaders; sizeBytes: number | null }> {
  const head = await answerTo({ url, method: 'HEAD' }, context)
  if (head.status === 200) {
    const length = head.headers['content-length']
    return { headers: head.headers, sizeBytes: length === undefined ? null : Number(length) }
  }
  const byte = await answerTo({ url, headers: { range: 'bytes=0-0' } }, context)
  const { status, headers } = byte
  const whole = status === 206 ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] : undefined
  if (status === 206) return { headers, sizeBytes: whole === undefined ? null : Number(whole) }
  // An empty file has no first byte.
  if (status === 416) return { headers, sizeBytes: 0 }
  if (status !== 200) throw explainer({ kind: 'http', url, sha256: null })(status)
  const length = headers['content-length']
  return { headers, sizeBytes: length === undefined ? null : Number(length) }
}

async function answerTo(
  request: { url: string; method?: 'HEAD'; headers?: Record<string, string> },
  context: SourceContext,
): Promise<HttpAnswer> {
  const { http: client, signal, clock } = context
  return retrying(
    async () => {
      const answer = await client.request({ ...request, signal })
      discard(answer)
      const { status, headers } = answer
      if (!isTransientStatus(status) || status === 501) return answer
      throw new TransientError(`${new URL(answer.url).host} answers ${status}`, {
        retryAfterMs: retryAfterMs(headers, clock.nowMs()),
      })
    },
    failuresMax,
    context,
  )
}

/** What the user wrote counts; else what a hub behind a plain link says. */
function digestOf({ sha256 }: HttpReference, headers: HttpHeaders): Digest | null {
  if (sha256 !== null) return { kind: 'sha256', hex: sha256 }
  const linked = headers['x-linked-etag']?.replaceAll('"', '')
  return linked !== undefined && /^[0-9a-f]{64}$/.test(linked)
    ? { kind: 'sha256', hex: linked }
    : null
}

function fileName({ url }: HttpReference): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  let name = last
  try {
    name = decodeURIComponent(last)
  } catch {
    // A percent sign that encodes nothing is a letter like others.
  }
  return name !== '' && !name.includes('/') && isSafePath(name) ? name : 'weights'
}

function explainer({ url }: HttpReference): (status: number) => WeightsError {
  const { host, pathname } = new URL(url)
  return (status) => {
    if (status === 401 || status === 403) {
      return new WeightsError(
        'not_allowed',
        `${host} does not let us have ${pathname} (${status}): the link has expired, or wants https://name:password@${host}/…`,
      )
    }
    if (status === 404 || status === 410) {
      return new WeightsError('not_found', `${host} has no ${pathname} (${status})`)
    }
    return new WeightsError('unreachable', `${host} answers ${status} for ${pathname}`)
  }
}
