/** Endpoints of one model whose contexts differ: a prompt goes where it is held. */
import { expect, test } from 'vitest'
import { motley } from './harness/command.ts'
import { endpointsOf, engine, fleet, post } from './harness/fleet.ts'
import { untilTrue } from './harness/until-true.ts'

const model = 'llama-3.1-8b'

async function smallAndLarge() {
  const [small, large] = await Promise.all([
    engine({ models: [model], contextTokens: 1_024 }),
    engine({ models: [model], contextTokens: 16_384 }),
  ])
  const { url } = await fleet({
    endpoints: [...endpointsOf({ small }), ...endpointsOf({ large })],
    routing: { strategy: 'round-robin' },
  })
  const ask = async (words: number, answerTokensMax = 2) => {
    const content = 'word '.repeat(words)
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model,
        messages: [{ role: 'user', content }],
        max_tokens: answerTokensMax,
      }),
    })
    await response.text()
    return {
      status: response.status,
      endpoint: response.headers.get('x-motley-endpoint'),
      attempts: response.headers.get('x-motley-attempts'),
      id: response.headers.get('x-request-id') ?? '',
    }
  }
  return { url, ask, small, large }
}

test('a long prompt goes to the long context at once, and short ones to both', async () => {
  const { ask, url } = await smallAndLarge()
  const short = [await ask(10), await ask(10), await ask(10), await ask(10)]
  expect(new Set(short.map(({ endpoint }) => endpoint))).toEqual(new Set(['small', 'large']))
  for (let round = 0; round < 4; round++) {
    expect(await ask(4_000)).toMatchObject({ status: 200, endpoint: 'large', attempts: '1' })
  }
  const { id } = await ask(4_000)
  const why = await motley(['why', id, '--url', url])
  expect(why.out).toMatch(/small +refused .*holds 1024 tokens, of ~\d+/)
})

test('models that the user named have the context that their engine tells', async () => {
  const [small, large] = await Promise.all([
    engine({ models: [model], contextTokens: 1_024 }),
    engine({ models: [model], contextTokens: 16_384 }),
  ])
  const endpoints = [...endpointsOf({ small }), ...endpointsOf({ large })].map((one) => ({
    ...one,
    models: { mine: model },
  }))
  const { url } = await fleet({ endpoints })
  const contextOf = async () => {
    const list = await fetch(`${url}/v1/models`)
    const { data } = (await list.json()) as { data: { id: string; max_model_len: number }[] }
    return data.find(({ id }) => id === 'mine')?.max_model_len
  }
  await untilTrue('both were checked', async () => (await contextOf()) === 1_024)
})

test('a prompt that no context holds is refused by the engine with the longest, which counts', async () => {
  const { ask, small, large } = await smallAndLarge()
  expect(await ask(60_000)).toMatchObject({ status: 400 })
  expect(small.stats().started).toBe(0)
  expect(large.stats().started).toBe(1)
})

test('a long answer that is only allowed keeps nobody from a short context, whose engine decides', async () => {
  const { ask } = await smallAndLarge()
  const asked = [await ask(200, 900), await ask(200, 900)]
  expect(asked.map(({ status }) => status)).toEqual([200, 200])
  // This engine counts what is allowed, too, and the other one takes it.
  expect(asked.map(({ attempts }) => attempts)).toContain('2')
})

test.each(['round-robin', 'fastest'])(
  'a long prompt that rules keep from the long context is refused by the short one, though a third takes nothing new (%s)',
  async (strategy) => {
    const [small, large, parked] = await Promise.all(
      [1_024, 16_384, 16_384].map((contextTokens) => engine({ models: [model], contextTokens })),
    )
    const { url } = await fleet({
      endpoints: [
        ...endpointsOf({ small: small! }),
        ...endpointsOf({ large: large! }),
        ...endpointsOf({ parked: parked! }, { weight: 0 }),
      ],
      routing: { strategy, rules: [{ require: { endpoints: ['small', 'parked'] } }] },
    })
    const messages = [{ role: 'user', content: 'word '.repeat(4_000) }]
    const response = await post(`${url}/v1/chat/completions`, { model, messages })
    expect(response.status).toBe(400)
    expect(response.headers.get('retry-after')).toBeNull()
    expect(await response.text()).toContain('maximum context length is 1024 tokens')
  },
)
