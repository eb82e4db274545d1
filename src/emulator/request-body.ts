import type { IncomingMessage } from 'node:http'
import { readMultipart } from '#emulator/multipart.ts'
import { type Fields, isFields } from '#emulator/request-fields.ts'

/** More than any recording or batch that is worth emulating. */
const bodyBytesMax = 512 * 1024 * 1024

/** Calls back with the whole body, or with null when it is too large; not at all if it breaks off. */
export function collectBody(request: IncomingMessage, then: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bodyBytesMax) chunks.push(chunk)
  })
  // A client that leaves while it sends is no news: its request has not begun.
  request.on('error', () => undefined)
  request.on('end', () => {
    const [first] = chunks
    if (bytes > bodyBytesMax) then(null)
    else then(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks))
  })
}

/** The fields of a JSON object or of a form; null when the body is neither. */
export function readFields(contentType: string, body: Buffer): Fields | null {
  if (contentType.startsWith('multipart/')) return multipartFields(contentType, body)
  const parsed = parseJson(body)
  return isFields(parsed) ? parsed : null
}

/** Null for what is no JSON; an empty body is an empty object. */
export function parseJson(body: Buffer): unknown {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString())
  } catch {
    return null
  }
}

/** The text fields of a form; the file stays where it is. */
function multipartFields(contentType: string, body: Buffer): Fields | null {
  const parts = readMultipart(contentType, body)
  if (parts === null) return null
  const texts = parts.filter((part) => part.fileName === null)
  return Object.fromEntries(texts.map(({ name, content }) => [name, content.toString()]))
}
