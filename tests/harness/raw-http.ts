/** HTTP on a bare socket, so that the test decides about every byte and every close. */
import { connect, type Socket } from 'node:net'
import { afterTest } from './after-test.ts'
import { question } from './fleet.ts'

/** Sends bytes and resolves with all that comes back until the other side closes. */
export function raw(url: string, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes))
    afterTest(() => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', () => resolve(received))
    socket.on('close', () => resolve(received))
  })
}

/** Sends a chat request; the socket that it returns is the test's to read and to close. */
export function rawChat(url: string, body: Record<string, unknown> = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      socket.write(chatBytes(body))
      resolve(socket)
    })
    socket.on('error', reject)
    afterTest(() => socket.destroy())
  })
}

/** A chat request as it stands on the wire, with header lines added. */
export function chatBytes(
  body: Record<string, unknown> = {},
  lines: readonly string[] = [],
): string {
  const text = JSON.stringify({ ...question, ...body })
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: x',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    ...lines,
  ]
  return `${head.join('\r\n')}\r\n\r\n${text}`
}
