import type { ServerResponse } from 'node:http'
import type { Page } from '#emulator/dialect.ts'

/** Sends a page whole; nothing where an answer has begun, or nobody is there any more. */
export function sendPage(
  response: ServerResponse,
  { status, contentType, body }: Page,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    ...headers,
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
