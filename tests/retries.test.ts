/** How often a request is sent, to whom, and who is blamed. */
import { expect, test } from 'vitest'
import { chat, endpointsOf, fleet } from './harness/fleet.ts'
import { answerChat, scriptedEngine } from './harness/scripted-engine.ts'

interface Told {
  readonly error: { readonly code: string; readonly message: string }
}

test('an endpoint that resets every request leaves rotation, and every attempt is told', async () => {
  let answers = 1
  const flaky = await scriptedEngine(({ response }) => {
    if (answers-- > 0) answerChat(response)
    else response.destroy()
  })
  const { url, rows } = await fleet(
    { endpoints: endpointsOf({ flaky }, { models: ['llama-3.1-8b'] }) },
    { watched: false },
  )
  expect((await chat(url)).status).toBe(200)
  for (let count = 0; count < 6; count++) {
    const answer = await chat(url)
    expect([502, 503]).toContain(answer.status)
  }
  expect((await rows())[0]?.state).not.toBe('ready')
  // One answered; one was sent again on a new connection without being counted.
  expect(flaky.received.length).toBeLessThanOrEqual(14)
})

test('a request that an engine worked on and then dropped is not sent again uncounted', async () => {
  const slow = await scriptedEngine(({ response }) => {
    if (slow.received.length === 1) answerChat(response)
    else setTimeout(() => response.destroy(), 700)
  })
  const { url } = await fleet({
    gateway: { retries: { maxAttempts: 1 } },
    endpoints: endpointsOf({ slow }),
  })
  expect((await chat(url)).status).toBe(200)
  expect((await chat(url)).status).toBe(502)
  expect(slow.received).toHaveLength(2)
})

test('a kept connection that the engine has just closed is replaced without a word', async () => {
  const closing = await scriptedEngine(({ response }) => {
    if (closing.received.length === 2) response.destroy()
    else answerChat(response)
  })
  const { url, rows } = await fleet({
    gateway: { retries: { maxAttempts: 1 } },
    endpoints: endpointsOf({ closing }),
  })
  expect((await chat(url)).status).toBe(200)
  const second = await chat(url)
  expect(second.status).toBe(200)
  expect(second.headers.get('x-motley-attempts')).toBe('1')
  expect(closing.received).toHaveLength(3)
  expect((await rows())[0]?.state).toBe('ready')
})

test('maxAttempts holds over fallback models', async () => {
  const names = ['m1', 'm2', 'm3', 'm4']
  const broken = await scriptedEngine(
    ({ response }) => {
      response.writeHead(500)
      response.end('{}')
    },
    { models: names },
  )
  for (const maxAttempts of [1, 2, 3]) {
    const { url } = await fleet({
      gateway: { retries: { maxAttempts } },
      models: { m1: { fallback: ['m2', 'm3', 'm4'] } },
      endpoints: endpointsOf({ broken }, { models: names }),
    })
    const before = broken.received.length
    await chat(url, { model: 'm1' })
    expect(broken.received.length - before).toBe(maxAttempts)
  }
})

test('a request whose time is over is not tried elsewhere, and nobody else is blamed', async () => {
  const hanging = await scriptedEngine(() => {})
  const { url, rows } = await fleet({
    gateway: { timeouts: { totalMs: 200 } },
    endpoints: [
      ...endpointsOf({ one: hanging }, { weight: 1000 }),
      ...endpointsOf({ two: hanging, three: hanging }),
    ],
  })
  const answer = await chat(url)
  expect(answer.status).toBe(504)
  const { error } = (await answer.json()) as Told
  expect(error.message).toMatch(/One attempt: one .* after \d+ ms/)
  expect((await rows()).every(({ state }) => state === 'ready')).toBe(true)
})

test('a retry that never happens is not counted', async () => {
  const broken = await scriptedEngine(({ response }) => {
    response.writeHead(400)
    response.end('{}')
  })
  const { url, rows } = await fleet({ endpoints: endpointsOf({ broken }) })
  await chat(url)
  expect((await rows())[0]?.retriesTotal).toBe(0)
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('motley_retries_refused_total 0')
})
