/** Where an answer that breaks off begins and ends, and what of it another endpoint may touch. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import {
  type ConfigText,
  chat,
  contentOf,
  endpointsOf,
  engine,
  fleet,
  post,
  question,
  readEvents,
} from './harness/fleet.ts'
import { answerStream, doneEvent, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

interface Told {
  readonly delta?: object
  readonly finish?: string
  readonly usage?: object
}

/** An event of the answer with this id. */
function told(id: string, { delta = {}, finish, usage }: Told): string {
  const choices = [{ index: 0, delta, finish_reason: finish ?? null }]
  const event = { id, created: 1, model: question.model, choices, ...(usage ? { usage } : {}) }
  return `data: ${JSON.stringify(event)}\n\n`
}

const role = (id: string) => told(id, { delta: { role: 'assistant', content: '' } })
const says = (id: string, content: string) => told(id, { delta: { content } })
const stop = (id: string) => told(id, { finish: 'stop' })
const errorEvent = (message: string, code: number) =>
  `data: ${JSON.stringify({ error: { message, type: 'error', code } })}\n\n`

const hello = role('one') + says('one', 'Hello')
const world = role('two') + says('two', ' world') + stop('two') + doneEvent

/** One engine says `first`, and then breaks its connection or only falls silent; the other says `rest`. */
async function twoEngines(
  first: string,
  rest: string,
  more: ConfigText & { silent?: boolean } = {},
) {
  const { silent = false, engine = 'vllm', ...config } = more
  const one = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(first, () => {
      if (!silent) response.socket?.resetAndDestroy()
    })
  })
  const two = await scriptedEngine(({ response }) => answerStream(response, rest))
  const [a, b] = endpointsOf({ one, two }, { engine })
  const made = await fleet({
    endpoints: [{ ...a, weight: 1_000 }, b],
    routing: { strategy: 'least-connections' },
    gateway: { timeouts: { betweenChunksMs: silent ? 100 : 10_000 } },
    ...config,
  })
  return { ...made, one, two }
}

const streamed = async (url: string, body: object = {}) => {
  const { events, broken, text } = await readEvents(await chat(url, { stream: true, ...body }))
  const frames = events.filter((event) => event !== '[DONE]').map((event) => JSON.parse(event))
  const roles = frames.filter(({ choices }) => choices?.[0]?.delta.role !== undefined).length
  const ends = frames.flatMap(({ choices }) => choices?.[0]?.finish_reason ?? [])
  return { events, broken, text, frames, roles, ends }
}

test.each([
  ['before its end marker', hello + stop('one'), false],
  ['behind its end marker', hello + stop('one') + doneEvent, false],
  ['in its usage', `${hello}${stop('one')}data: {"id":"one","choices":[],"usage":{"prom`, false],
  ['before its end marker, in silence', hello + stop('one'), true],
  ['behind its end marker, in silence', hello + stop('one') + doneEvent, true],
])(
  'an answer that was whole when its engine broke off %s is whole',
  async (_where, first, silent) => {
    const { url, two } = await twoEngines(first, world, { silent })
    const { events, broken, ends } = await streamed(url)
    expect([broken, contentOf(events), ends]).toEqual([false, 'Hello', ['stop']])
    expect(events.filter((event) => event === '[DONE]')).toHaveLength(1)
    expect(two.received).toHaveLength(0)
  },
)

test.each([
  ['nothing but a comment', ': wait\n\n'],
  ['something of the prompt', 'data: {"id":"","created":0,"choices":[]}\n\n'],
])('where an engine had said %s, the whole answer is of the other one', async (_what, first) => {
  const { url } = await twoEngines(first, world)
  const { text } = await streamed(url)
  expect(text).toBe(first + world)
})

test("an id that is no answer's is not the id of the rest", async () => {
  const first = `data: {"id":"","created":0,"choices":[]}\n\n${hello}`
  const { url } = await twoEngines(first, world)
  const { frames, roles } = await streamed(url)
  expect([frames.slice(1).map(({ id }) => id), roles]).toEqual([['one', 'one', 'one', 'one'], 1])
})

test('an answer that was said again to its end ends where the first one stopped', async () => {
  const again =
    role('two') + told('two', { delta: { content: 'Hello' }, finish: 'stop' }) + doneEvent
  const { url } = await twoEngines(hello, again, { engine: 'openai' })
  const { events, broken, ends } = await streamed(url, { temperature: 0 })
  expect([broken, contentOf(events), ends]).toEqual([false, 'Hello', ['stop']])
})

const goesOn = (...words: string[]) =>
  role('two') + words.map((word) => says('two', word)).join('') + stop('two') + doneEvent

test.each(['vllm', 'llama-server'])(
  'all words of %s are the rest, as it never says them again',
  async (engine) => {
    const { url } = await twoEngines(hello, goesOn('Hello world'), { engine })
    const { events } = await streamed(url)
    expect(contentOf(events)).toBe('HelloHello world')
  },
)

test.each([
  '"temperature": NaN',
  '"logit_bias": {"7": -Infinity}, "tool_choice": NaN',
  '"guided_json": NaN',
])(
  'a request with %s, which engines in Python read, ends in an error and leaves nothing in flight',
  async (odd) => {
    const { url, gateway, log } = await twoEngines(hello, world, { engine: 'openai' })
    const body = JSON.stringify({ ...question, stream: true }).replace('{', `{${odd},`)
    const { events, broken } = await readEvents(await post(`${url}/v1/chat/completions`, body))
    expect([broken, JSON.parse(events.at(-1) as string).error.code]).toEqual([
      true,
      'stream_interrupted',
    ])
    expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0, two: 0 })
    expect(log).toEqual([])
  },
)

test('messages that are no JSON of ours end in an error too', async () => {
  const { url, two } = await twoEngines(hello, world)
  const messages = '"messages":[{"role":"user","content":"Hi","score":NaN}]'
  const body = `{"model":"${question.model}","stream":true,${messages}}`
  const { events, broken } = await readEvents(await post(`${url}/v1/chat/completions`, body))
  expect(broken).toBe(true)
  expect(JSON.parse(events.at(-1) as string).error.code).toBe('stream_interrupted')
  expect(two.received).toHaveLength(0)
})

test.each([
  ['a whole event without its blank line', says('one', ' my').trimEnd(), 'Hello my world'],
  ['one that lacks half of it', says('one', ' my').slice(0, -1), 'Hello my world'],
  ['half of one', says('one', ' my').slice(0, -20), 'Hello world'],
  ['a name of one', 'event: delta\n', 'Hello world'],
  ['an empty field', 'data:', 'Hello world'],
  ['half a field', 'dat', 'Hello world'],
  ['half an end', 'data: [DON', 'Hello world'],
  ['half a comment', ': pi', 'Hello world'],
])('where an engine ended with %s, what follows is no part of it', async (_what, end, said) => {
  const one = await scriptedEngine(({ response }) => answerStream(response, hello + end))
  const two = await scriptedEngine(({ response }) => answerStream(response, world))
  const [a, b] = endpointsOf({ one, two }, { engine: 'vllm' })
  const { url } = await fleet({
    endpoints: [{ ...a, weight: 1_000 }, b],
    routing: { strategy: 'least-connections' },
  })
  const { events, broken, text } = await streamed(url)
  expect([broken, contentOf(events)]).toEqual([false, said])
  // Who reads by the letter hears no event that was never said.
  expect(text.split('\n').filter((line) => line !== '' && !/^(data: [[{]|: )/.test(line))).toEqual(
    [],
  )
})

test.each([
  ['an echo', { echo: true }],
  ['an answer to nothing', { messages: [] }],
])('%s is not gone on with', async (_what, body) => {
  const { url, two } = await twoEngines(hello, world)
  expect((await streamed(url, body)).broken).toBe(true)
  expect(two.received).toHaveLength(0)
})

test('an engine that says in its stream that the request is wrong is heard, and nobody else is asked', async () => {
  const refusal = errorEvent('too long', 400) + doneEvent
  const { url, one, two } = await twoEngines(refusal, world, { silent: true })
  const { text } = await streamed(url)
  expect(text).toBe(refusal)
  expect([one.received.length, two.received.length]).toEqual([1, 0])
})

test('where nobody goes on after an engine that said why it failed, the error says it', async () => {
  const { url } = await twoEngines(hello + errorEvent('CUDA is out', 500), errorEvent('no', 400))
  const { frames, broken } = await streamed(url)
  expect([broken, frames.at(-1).error.code]).toEqual([true, 'stream_interrupted'])
  expect(frames.at(-1).error.message).toContain('"CUDA is out"')
})

test('a rest that counts as it goes tells every count, and no second role', async () => {
  const counted = (completion: number) => ({
    usage: { prompt_tokens: 5, completion_tokens: completion, total_tokens: 5 + completion },
  })
  const rest = [
    told('two', { delta: { role: 'assistant', content: '' }, ...counted(0) }),
    told('two', { delta: { content: ' world' }, ...counted(1) }),
    told('two', { finish: 'stop', ...counted(1) }),
    doneEvent,
  ].join('')
  const { url } = await twoEngines(hello, rest)
  const { events, frames, roles } = await streamed(url)
  expect([contentOf(events), roles]).toEqual(['Hello world', 1])
  expect(frames.flatMap(({ usage }) => usage?.completion_tokens ?? [])).toEqual([1, 2, 2])
})

test('an answer goes on only where the rules let it', async () => {
  const bad = await engine({ faults: ['cut:5'] })
  const [near, far, other] = [await engine(), await engine(), await engine({ faults: ['cut:3'] })]
  const own = { engine: 'vllm', labels: { privacy: 'in-house' } }
  const [a, b] = endpointsOf({ bad, near }, own)
  const [c] = endpointsOf({ far }, { engine: 'vllm' })
  const [d] = endpointsOf({ other }, own)
  const rules = [{ when: {}, require: { labels: { privacy: 'in-house' } } }]
  const strategy = 'least-connections'
  const some = await fleet({
    endpoints: [{ ...a, weight: 1_000 }, b, { ...c, weight: 100 }],
    routing: { strategy, rules },
  })
  expect((await streamed(some.url)).broken).toBe(false)
  const none = await fleet({
    endpoints: [{ ...a, weight: 1_000 }, d, { ...c, weight: 100 }],
    gateway: { retries: { returnMs: 0 } },
    routing: { strategy, rules },
  })
  expect((await streamed(none.url)).broken).toBe(true)
  expect([near, far, other].map((each) => each.stats().started)).toEqual([1, 0, 1])
})

/** An answer whose first engine is gone, and which its second one has not begun; who reads it. */
async function handedOver() {
  const waiting: ServerResponse[] = []
  const one = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(hello, () => response.socket?.resetAndDestroy())
  })
  const two = await scriptedEngine(({ response }) => waiting.push(response))
  const [a, b] = endpointsOf({ one, two }, { engine: 'vllm' })
  const config = {
    endpoints: [{ ...a, weight: 1_000 }, b],
    routing: { strategy: 'least-connections' },
    gateway: { drainMs: 50, pingMs: 10 },
  }
  const made = await fleet(config)
  const leaving = new AbortController()
  const answer = readEvents(await chat(made.url, { stream: true }, { signal: leaving.signal }))
  await untilTrue('the second engine is asked', () => waiting.length === 1)
  return { ...made, config, leaving, answer, response: waiting[0] as ServerResponse }
}

test('a client that leaves before the second engine answers frees both', async () => {
  const { gateway, leaving, answer, response } = await handedOver()
  leaving.abort()
  await untilTrue('the engine is told', () => response.destroyed)
  expect((await answer).broken).toBe(true)
  await untilTrue('it is over', () => gateway.vitals.inFlight === 0)
  expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0, two: 0 })
})

test('a gateway that stops before the second engine answers says that the answer is not whole', async () => {
  const { gateway, answer } = await handedOver()
  await gateway.drain()
  const { events, broken } = await answer
  expect([broken, JSON.parse(events.at(-1) as string).error.code]).toEqual([
    true,
    'stream_interrupted',
  ])
  expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0, two: 0 })
})

test('an endpoint that a reload removes before it answers still finishes the answer', async () => {
  const { config, reload, answer, response, gateway } = await handedOver()
  const retries = { continueAnswers: false }
  const [first] = config.endpoints
  reload({ ...config, endpoints: [first], gateway: { ...config.gateway, retries } })
  answerStream(response, world)
  const { events, broken, text } = await answer
  expect([broken, contentOf(events)]).toEqual([false, 'Hello world'])
  expect(text.replaceAll(': ping\n\n', '')).not.toContain('ping')
  await untilTrue('it is over', () => gateway.vitals.inFlight === 0)
  expect(gateway.vitals.inFlightByEndpoint).toEqual({ one: 0 })
})
