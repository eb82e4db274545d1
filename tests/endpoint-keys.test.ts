/** The key of the gateway at an endpoint: wrong or missing, that is the mistake of its operator. */
import { expect, test } from 'vitest'
import { chat, endpointsOf, engine, fleet, post, question } from './harness/fleet.ts'
import { answerChat, answerJson, scriptedEngine } from './harness/scripted-engine.ts'

interface Told {
  readonly error: { readonly code: string; readonly message: string; readonly type: string }
}

const models = ['llama-3.1-8b']

test.each([
  ['wrong', { apiKey: 'sk-old' }, 'refuses the apiKey that is set for it'],
  ['missing', {}, 'wants a key: set its apiKey'],
])('an endpoint whose key is %s is passed over, and told', async (_what, key, words) => {
  const locked = await engine({ apiKey: 'sk-new' })
  const good = await engine()
  const { url, rows } = await fleet({
    endpoints: [
      ...endpointsOf({ locked }, { weight: 100, models, ...key }),
      ...endpointsOf({ good }, { weight: 1 }),
    ],
    routing: { strategy: 'least-connections' },
  })
  const answer = await chat(url)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('x-motley-endpoint')).toBe('good')
  expect(answer.headers.get('x-motley-attempts')).toBe('2')
  expect((await rows())[0]).toMatchObject({
    name: 'locked',
    state: 'failed',
    reason: `it ${words} (401 "Unauthorized")`,
    errorsTotal: 1,
  })
  expect((await chat(url)).headers.get('x-motley-attempts')).toBe('1')
  expect(await (await fetch(`${url}/metrics`)).text()).toContain(
    'endpoint="locked",outcome="key_refused"} 1',
  )
})

test.each([401, 403])(
  'where nobody else can answer, %i of an engine is no 401 of the client, first and later',
  async (status) => {
    const locked = await scriptedEngine(({ response }) =>
      answerJson(response, status, { error: { message: 'Not with this key.' } }),
    )
    const { url } = await fleet({ endpoints: endpointsOf({ locked }, { apiKey: 'sk-old' }) })
    for (let count = 0; count < 7; count++) {
      const answer = await chat(url)
      expect(answer.status).toBe(502)
      expect(answer.headers.get('x-should-retry')).toBe('false')
      expect(answer.headers.get('www-authenticate')).toBeNull()
      const { error } = (await answer.json()) as Told
      expect(error.code).toBe('engine_key_refused')
      expect(error.message).toContain('refuses the apiKey that is set for it')
      expect(error.message).toContain('Not with this key.')
    }
    // A breaker is sure after one or five of them, and then asks now and then.
    expect(locked.received.length).toBeLessThan(7)
  },
)

test('a failure elsewhere says more than a key that is refused', async () => {
  const locked = await engine({ apiKey: 'sk-new' })
  const broken = await engine({ faults: ['status:500'] })
  const { url } = await fleet({
    endpoints: [
      ...endpointsOf({ broken }, { weight: 100 }),
      ...endpointsOf({ locked }, { weight: 1, models }),
    ],
    routing: { strategy: 'least-connections' },
  })
  const { error } = (await (await chat(url)).json()) as Told
  expect(error.code).toBe('engine_failed')
  expect(error.message).toContain('locked wants a key')
})

test('clients of Anthropic hear of it in the shape of theirs', async () => {
  const locked = await engine({ apiKey: 'sk-new' })
  const { url } = await fleet({ endpoints: endpointsOf({ locked }, { models }) })
  const answer = await post(`${url}/v1/messages`, question)
  expect(answer.status).toBe(502)
  expect(await answer.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } })
})

test('a key that is set right by a reload is tried at once', async () => {
  const locked = await scriptedEngine(({ request, response }) => {
    if (request.headers.authorization === 'Bearer sk-new') answerChat(response)
    else answerJson(response, 401, { error: 'Unauthorized' })
  })
  const endpoints = (apiKey: string) => endpointsOf({ locked }, { apiKey, models })
  const { url, reload } = await fleet({ endpoints: endpoints('sk-old') }, { watched: false })
  expect((await chat(url)).status).toBe(502)
  expect(reload({ endpoints: endpoints('sk-new') })).toMatchObject({ applied: true })
  expect((await chat(url)).status).toBe(200)
})

test('an engine that shows its models only with a key says so while it has none', async () => {
  const locked = await engine({ apiKey: 'sk-new' })
  const { url, until } = await fleet({ endpoints: endpointsOf({ locked }) }, { settled: false })
  const [row] = await until('it was asked', ([first]) => first?.state === 'failed')
  const reason = '/v1/models answered 401: it wants a key, set apiKey'
  expect(row).toMatchObject({ models: [], reason })
  const health = await fetch(`${url}/health`)
  expect(await health.json()).toMatchObject({
    unhealthy_endpoints: [{ endpoint: 'locked', state: 'failed', error: reason }],
  })
  const answer = await chat(url)
  expect(answer.status).toBe(503)
  expect(((await answer.json()) as Told).error.message).toContain(reason)
})
