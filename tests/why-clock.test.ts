/** `motley why` on a machine whose clock is another than the controller's. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { deployment } from '#testing/placement-input.ts'
import { afterTest } from './harness/after-test.ts'
import { motley } from './harness/command.ts'

test('how long ago something happened is told by the clock of the controller', async () => {
  const nowMs = Date.UTC(2020, 0, 1)
  const pages: Readonly<Record<string, unknown>> = {
    '/admin/v1/placement': {
      nowMs,
      ...{ nodes: [], frozen: false, replicas: [], memory: [], speeds: [], failures: [] },
      ...{ deployments: [{ ...deployment('chat', 5), sleepAfterMs: 60_000 }], standings: {} },
    },
    '/admin/v1/plans': {
      plans: [
        {
          ...{ id: 'plan-1', madeAtMs: nowMs - 180_000, because: 'it was applied' },
          steps: [
            {
              ...{ kind: 'stop', step: 'stop chat-0', because: 'nobody wants it' },
              replica: { id: 'chat-0', deployment: 'chat' },
            },
          ],
          ...{ unplaced: [], candidates: [] },
        },
      ],
    },
  }
  const server = createServer((request, response) => {
    const page = pages[request.url ?? '']
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(page ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { out } = await motley(['why', 'chat', '--url', url])
  expect(out).toContain('3 min ago: stop chat-0')
})
