/** Pages under /admin/v1/ that somebody else answers: JSON in, JSON out, for operators only. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { MotleyError } from '#core/errors.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { presentedKey } from '#gateway/stages/authenticate.ts'
import { BodyTooLargeError, readBody, sendJson } from '#std/http-json.ts'
import { parseJson } from '#std/parse-json.ts'

/** Whoever answers; null when there is no such page. */
export type AdminPages = (request: {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** Parsed; null when there was no body. */
  readonly body: unknown
  /** The name of the key it came with; null where none is needed. */
  readonly key: string | null
}) => Promise<{ readonly status: number; readonly body: unknown } | null>

/** Some hundred deployments, with what is known of each of their files. */
const bodyBytesMax = 16 * 1024 * 1024

/** Returns false when there is no such page. Throws what the client must be told. */
export async function serveAdmin(
  state: GatewayState,
  pages: AdminPages,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const key = state.keys.authenticate(presentedKey(request.headers))
  if (key !== null && !key.admin) {
    throw new MotleyError('admin_only', `The key "${key.name}" has no "admin: true".`)
  }
  const url = request.url ?? ''
  const question = url.indexOf('?')
  const answer = await pages({
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams(question === -1 ? '' : url.slice(question)),
    body: await jsonBody(request),
    key: key?.name ?? null,
  })
  if (answer === null) return false
  sendJson(response, answer.status, answer.body, { 'cache-control': 'no-store' })
  return true
}

async function jsonBody(request: IncomingMessage): Promise<unknown> {
  let text: string
  try {
    text = (await readBody(request, bodyBytesMax)).toString('utf8')
  } catch (error) {
    if (error instanceof BodyTooLargeError) throw new MotleyError('request_too_large')
    throw error
  }
  if (text.trim() === '') return null
  const body = parseJson(text)
  if (body === undefined) throw new MotleyError('invalid_json')
  // An empty body is none; whoever writes null means that there is one.
  if (body === null) {
    throw new MotleyError('invalid_request', 'The request body is null; it must be a JSON object.')
  }
  return body
}
