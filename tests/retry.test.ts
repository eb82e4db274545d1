/** `motley retry`, and what an operator's page says to a body that is no object. */
import { expect, test } from 'vitest'
import { motley } from './harness/command.ts'
import { dataFolder, oneMachine } from './harness/one-machine.ts'
import { wishes } from './harness/planned-controller.ts'

test('what has not failed is not retried, and what is not there is named', {
  timeout: 60_000,
}, async () => {
  dataFolder()
  const { url, admin } = await oneMachine()
  await admin(
    'deployments',
    'PUT',
    wishes('deployments: { chat: { model: "file:/nowhere.gguf" } }'),
  )
  expect(await motley(['retry', 'chat', '--url', url])).toMatchObject({
    code: 0,
    out: 'No start of chat has failed: "motley why chat" says what it waits for.\n',
  })
  expect(await motley(['retry', 'chat', '--url', url, '--json'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/"nodes": \[\]/),
  })
  expect(await motley(['why', 'chta', '--url', url])).toMatchObject({
    code: 1,
    err: expect.stringContaining('did you mean "chat"?'),
  })
  expect(await motley(['retry', 'chta', '--url', url])).toMatchObject({
    code: 1,
    err: 'motley: there is no deployment "chta"; there is chat\n',
  })

  const answer = await fetch(`${url}/admin/v1/deployments`, { method: 'PUT', body: 'null' })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: {
      code: 'invalid_request',
      message: expect.stringMatching(/^The request body is null; it must be a JSON object\./),
    },
  })
})
