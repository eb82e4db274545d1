/** What a client hears that asks the bundled model in an API which it does not speak. */
import { expect, test } from 'vitest'
import { startEmbeddedServer } from '#embedded/server.ts'
import { afterTest } from './harness/after-test.ts'
import { fleet, post } from './harness/fleet.ts'

test('an API that the embedded engine does not speak is refused with those that it does', async () => {
  const engine = await startEmbeddedServer({ modelPath: 'models/motley-tiny.gguf', slots: 1 })
  afterTest(() => engine.close())
  await engine.ready
  const { url } = await fleet({
    endpoints: [{ name: 'embedded', url: engine.url }],
  })
  const ask = async (path: string) => {
    const answer = await post(url + path, { model: 'motley-tiny', max_tokens: 4, messages: [] })
    return { status: answer.status, body: (await answer.json()) as { error: unknown } }
  }
  const message = (path: string) =>
    expect.stringContaining(
      `"motley-tiny" is served here, but not at ${path}; it takes /v1/chat/completions, /v1/completions, /v1/embeddings`,
    )

  expect(await ask('/v1/responses')).toMatchObject({
    status: 404,
    body: { error: { message: message('/v1/responses') } },
  })
  expect(await ask('/v1/messages')).toMatchObject({
    status: 404,
    body: { type: 'error', error: { message: message('/v1/messages') } },
  })
  const { status, body } = await ask('/api/chat')
  expect({ status, error: String(body.error) }).toMatchObject({
    status: 404,
    error: message('/api/chat'),
  })
})
