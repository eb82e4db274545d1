/**
 * How `motley demo` reaches the `motley up --demo` of the same user: over a local socket that is
 * named by the gateway's port. One line of JSON each way.
 */
import { rmSync } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CommandFailure } from '#cli/command-failure.ts'

export const demoActions = ['kill', 'break', 'start'] as const
export type DemoAction = (typeof demoActions)[number]

export interface DemoRequest {
  readonly action: DemoAction
  readonly endpoint: string
}

export interface DemoReply {
  /** false: there is no such engine. */
  readonly done: boolean
  readonly text: string
}

export async function listenForDemo(
  port: string,
  answer: (request: DemoRequest) => Promise<DemoReply>,
): Promise<Server> {
  const path = socketPath(port)
  // Left by a process that was killed; a living one would hold the gateway's port.
  if (process.platform !== 'win32') rmSync(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    createInterface({ input: socket }).once('line', async (line) => {
      const reply = await Promise.resolve(line)
        .then((text) => answer(JSON.parse(text)))
        .catch((error: Error) => ({ done: false, text: error.message }))
      socket.end(`${JSON.stringify(reply)}\n`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  server.unref()
  return server
}

/** @throws {CommandFailure} where no demo runs */
export function askDemo(port: string, request: DemoRequest): Promise<DemoReply> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath(port))
    const fail = (cause: unknown) =>
      reject(
        new CommandFailure(
          'unreachable',
          `no demo fleet runs beside a gateway on port ${port}: start one with "motley up --demo", or name its gateway with --url`,
          { cause },
        ),
      )
    socket.once('error', fail)
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    const lines = createInterface({ input: socket })
    lines.once('line', (line) => resolve(JSON.parse(line) as DemoReply))
    lines.once('close', () => fail(new Error('closed without a reply')))
    lines.on('error', () => {}) // readline repeats the error of the socket
  })
}

function socketPath(port: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\motley-demo-${port}`
  return join(tmpdir(), `motley-${userInfo().uid}-demo-${port}.sock`)
}
