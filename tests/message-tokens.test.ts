/** What clients of Anthropic's API ask beside messages, and how errors are told to them. */
import { expect, test } from 'vitest'
import { accessLogFile } from './harness/access-log.ts'
import { endpointsOf, engine, fleet, post, question } from './harness/fleet.ts'
import { answerJson, scriptedEngine } from './harness/scripted-engine.ts'

const path = '/v1/messages/count_tokens?beta=true'

test.each(['vllm', 'sglang', 'llama-server'] as const)(
  '%s counts the tokens of a message, under the name that it has for the model',
  async (name) => {
    const one = await engine({ engine: name, models: ['served'] })
    const accessLog = accessLogFile()
    const { url, gateway } = await fleet({
      gateway: { accessLog: accessLog.path },
      endpoints: endpointsOf({ one }, { models: { asked: 'served' } }),
    })
    const body = { model: 'asked', messages: question.messages }
    const direct = await post(`${one.url}${path}`, { ...body, model: 'served' })
    const answer = await post(`${url}${path}`, body)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-motley-endpoint')).toBe('one')
    expect(await answer.json()).toEqual(await direct.json())
    await gateway.close()
    // Nothing was generated, so nothing is charged.
    expect(accessLog.first()).toMatchObject({ api: 'count-tokens', completionTokens: null })
  },
)

test('a count goes past engines that have messages and no counts of them', async () => {
  const [ollama, vllm] = [await engine({ engine: 'ollama' }), await engine()]
  const { url } = await fleet({
    endpoints: [
      ...endpointsOf({ ollama }, { weight: 1_000 }),
      ...endpointsOf({ vllm }, { weight: 1 }),
    ],
    routing: { strategy: 'least-connections' },
  })
  const answer = await post(`${url}${path}`, question)
  expect([answer.status, answer.headers.get('x-motley-endpoint')]).toEqual([200, 'vllm'])
  const alone = await fleet({ endpoints: endpointsOf({ ollama }) })
  const refusal = await post(`${alone.url}${path}`, question)
  expect(refusal.status).toBe(404)
  const words = expect.stringContaining('served here, but not at /v1/messages/count_tokens')
  expect(await refusal.json()).toMatchObject({
    type: 'error',
    error: { type: 'not_found_error', message: words },
  })
})

test('an engine that is too old for it says so in the shape of its clients', async () => {
  const old = await scriptedEngine(({ response }) =>
    answerJson(response, 404, { detail: 'Not Found' }),
  )
  const { url } = await fleet({ endpoints: endpointsOf({ old }) })
  const answer = await post(`${url}${path}`, question)
  expect(answer.status).toBe(404)
  expect(await answer.json()).toEqual({
    type: 'error',
    error: { type: 'not_found_error', message: 'Not Found' },
  })
})

test('what is not there under /v1/messages is told in its shape, and elsewhere in that of OpenAI', async () => {
  const one = await engine()
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const error = { type: 'not_found_error' }
  for (const at of ['/v1/messages/batches', '/v1/messages/a/b']) {
    const answer = await post(`${url}${at}`, question)
    expect([answer.status, await answer.json()]).toMatchObject([404, { type: 'error', error }])
  }
  const wrong = await fetch(`${url}/v1/messages`)
  expect(wrong.status).toBe(405)
  expect(await wrong.json()).toMatchObject({
    type: 'error',
    error: { type: 'invalid_request_error' },
  })
  const other = (await (await post(`${url}/v1/message`, question)).json()) as object
  expect(other).toMatchObject({ error: { ...error, code: 'not_found' } })
  expect(other).not.toHaveProperty('type')
  expect(await (await fetch(`${url}/api/chat`)).json()).toEqual({ error: expect.any(String) })
})
