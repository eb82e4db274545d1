/**
 * What a node tells others of the fleet about its weights. The agent mounts this behind its own
 * authentication; here are only the pages, as pure answers to requests.
 *
 *   GET /weights               every model that is here in full, with the hashes of its files
 *   GET /weights/<sha256>      the content; HEAD, and one range, are understood
 */
import { createReadStream } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { isSafePath } from '#weights/reference.ts'
import type { WeightsStore } from '#weights/store.ts'

export const listPage = '/weights'
export const blobPage = (sha256: string): string => `/weights/${sha256}`

export const weightsList = z.object({
  models: z.array(
    z.object({
      reference: z.string(),
      version: z.string().nullable(),
      files: z.array(
        z.object({
          path: z.string().refine(isSafePath),
          sha256: z.string().regex(/^[0-9a-f]{64}$/),
          sizeBytes: z.int().nonnegative(),
        }),
      ),
    }),
  ),
})
export type WeightsList = z.output<typeof weightsList>

export interface WeightsRequest {
  readonly method: string
  /** Without a query. */
  readonly path: string
  /** The `Range` header; undefined where there is none. */
  readonly range: string | undefined
  /** The `If-Range` header, in the same way. */
  readonly ifRange: string | undefined
}

export interface WeightsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body:
    | { readonly kind: 'none' }
    | { readonly kind: 'text'; readonly text: string }
    /** Bytes `begin` up to, and not with, `end` of a file. */
    | { readonly kind: 'file'; readonly path: string; readonly begin: number; readonly end: number }
}

/** What the pages are about. */
export type WeightsShelf = Pick<WeightsStore, 'findBlob' | 'models'>

/** Null for a path that is not about weights. */
export async function answerWeights(
  { method, path, range, ifRange }: WeightsRequest,
  shelf: WeightsShelf,
): Promise<WeightsAnswer | null> {
  if (path !== listPage && !path.startsWith(`${listPage}/`)) return null
  if (method !== 'GET' && method !== 'HEAD') {
    return failure(405, 'weights can only be read', { allow: 'GET, HEAD' })
  }
  if (path === listPage) return listAnswer(await shelf.models(), method)
  const sha256 = path.slice(listPage.length + 1)
  if (!/^[0-9a-f]{64}$/.test(sha256)) return failure(404, 'weights are named by 64 hex digits')
  const blob = await shelf.findBlob(sha256)
  if (blob === null) return failure(404, 'this node does not have these weights')

  const etag = `"${sha256}"`
  const headers = {
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    etag,
  }
  const whole = { begin: 0, end: blob.sizeBytes }
  const wanted =
    ifRange === undefined || ifRange === etag ? readRange(range, blob.sizeBytes) : whole
  if (wanted === null) {
    return failure(416, 'these bytes are not there', {
      'content-range': `bytes */${blob.sizeBytes}`,
    })
  }
  const part = wanted ?? whole
  return {
    status: wanted === undefined || wanted === whole ? 200 : 206,
    headers: {
      ...headers,
      'content-length': part.end - part.begin,
      ...(wanted === undefined || wanted === whole
        ? {}
        : { 'content-range': `bytes ${part.begin}-${part.end - 1}/${blob.sizeBytes}` }),
    },
    body: method === 'HEAD' ? { kind: 'none' } : { kind: 'file', path: blob.path, ...part },
  }
}

/** Undefined: none that is understood, so the whole. Null: one that the file does not have. */
function readRange(
  text: string | undefined,
  sizeBytes: number,
): { begin: number; end: number } | null | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(text ?? '') ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes)
    return length === 0 ? null : { begin: sizeBytes - length, end: sizeBytes }
  }
  const begin = Number(from)
  const end = to === '' ? sizeBytes : Math.min(Number(to) + 1, sizeBytes)
  return begin < end ? { begin, end } : null
}

function listAnswer(
  models: Awaited<ReturnType<WeightsShelf['models']>>,
  method: string,
): WeightsAnswer {
  const text = JSON.stringify({
    models: models.map(({ reference, version, files }) => ({ reference, version, files })),
  })
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    body: method === 'HEAD' ? { kind: 'none' } : { kind: 'text', text },
  }
}

function failure(
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): WeightsAnswer {
  const text = JSON.stringify({ error: { message } })
  return {
    status,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    },
    body: { kind: 'text', text },
  }
}

/** Sends an answer, as fast as the other side reads. Resolves also when that side goes away. */
export async function sendWeightsAnswer(
  response: ServerResponse,
  { status, headers, body }: WeightsAnswer,
): Promise<void> {
  response.writeHead(status, headers)
  if (body.kind !== 'file' || body.begin === body.end) {
    response.end(body.kind === 'text' && response.req.method !== 'HEAD' ? body.text : undefined)
    return
  }
  const { path, begin, end } = body
  const content = createReadStream(path, { start: begin, end: end - 1, highWaterMark: 1024 * 1024 })
  try {
    await pipeline(content, response)
  } catch {
    response.destroy() // the reader sees a cut connection, and comes back for the rest
  }
}
