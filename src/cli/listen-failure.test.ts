import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { CommandFailure } from '#cli/command-failure.ts'
import { listenFailure } from '#cli/listen-failure.ts'

async function listenError(host: string, port: number): Promise<unknown> {
  const server = createServer()
  server.listen(port, host)
  const [error] = await once(server, 'error')
  return error
}

test('a taken port is told with who has it, and which to take instead', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  const failure = listenFailure(await listenError('127.0.0.1', port), `127.0.0.1:${port}`)
  holder.close()
  expect(failure).toBeInstanceOf(CommandFailure)
  const { message } = failure as CommandFailure
  expect(message).toContain(`port ${port} is taken`)
  expect(message).toContain('any free one with --listen 127.0.0.1:0')
  if (process.platform === 'linux') expect(message).toContain(`(pid ${process.pid})`)
})

test('who is told to move from the usual port is not sent to that of another part', () => {
  const error = Object.assign(new Error('taken'), { code: 'EADDRINUSE' })
  const told = listenFailure(error, '127.0.0.1:7070') as CommandFailure
  const [, port] = /--listen 127\.0\.0\.1:(\d+),/.exec(told.message) ?? []
  // 7072, where nothing on the tester's machine listens on it.
  expect(Number(port)).toBeGreaterThanOrEqual(7072)
  expect(Number(port)).not.toBe(7073)
})

test('an address of another machine is told as that', async () => {
  // 192.0.2.0/24 belongs to nobody: it is kept for documentation.
  const failure = listenFailure(await listenError('192.0.2.1', 0), '192.0.2.1:7070')
  expect((failure as CommandFailure).message).toContain('this machine has no address 192.0.2.1')
})

test('an error that has nothing to do with listening stays what it is', () => {
  const error = new Error('something else')
  expect(listenFailure(error, '127.0.0.1:1')).toBe(error)
})
