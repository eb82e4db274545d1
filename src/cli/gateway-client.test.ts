import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, NoAnswerFailure } from '#cli/gateway-client.ts'

const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write('{"data":')
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function halfAnswering(): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('an answer that begins and does not end is silence, told by its URL', async () => {
  const url = await halfAnswering()
  const asked = askGateway('/v1/models', { url }, 'any key', { withinMs: 1 })
  await expect(asked).rejects.toThrow(`no gateway answers at ${url} (silent for 0.001 s)`)
  await expect(asked).rejects.toBeInstanceOf(NoAnswerFailure)
})

test('whoever stops the question hears his own reason', async () => {
  const url = await halfAnswering()
  const stop = new AbortController()
  const asked = askGateway('/v1/models', { url }, 'any key', { signal: stop.signal })
  const reason = new CommandFailure('stopped', 'stopped; nothing was sent')
  stop.abort(reason)
  await expect(asked).rejects.toBe(reason)
})
