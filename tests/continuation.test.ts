/** An answer that has begun is finished, by another endpoint where its own breaks off. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { badAndGood } from './harness/bad-and-good.ts'
import { motley } from './harness/command.ts'
import {
  chat,
  contentOf,
  endpointsOf,
  engine,
  fleet,
  post,
  question,
  readEvents,
} from './harness/fleet.ts'
import { packageFile } from './harness/package-file.ts'
import { answerStream, chatEvent, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const streamed = async (url: string, body: object = {}) =>
  readEvents(await chat(url, { stream: true, ...body }))

const errorOf = (events: readonly string[]): string =>
  JSON.parse(events.at(-1) as string).error?.code

test.each([
  'cut:5',
  'reset-at:5',
  'garbage:5',
  'bad-chunk:5',
  'stall:5:60s',
  'cut:0',
  'cut:1',
  'mid-error:5',
])('an answer whose engine ends with %s in mid-stream goes on elsewhere', async (fault) => {
  const { url, second } = await badAndGood([fault])
  const whole = await streamed(second.url)
  const { events, broken, text } = await streamed(url)
  expect(broken).toBe(false)
  expect(contentOf(events)).toBe(contentOf(whole.events))
  expect(events.at(-1)).toBe('[DONE]')
  expect(text.split('[DONE]')).toHaveLength(2)
  const frames = events.slice(0, -1).map((event) => JSON.parse(event))
  expect(new Set(frames.map(({ id }) => id)).size).toBe(1)
  expect(new Set(frames.map(({ created }) => created)).size).toBe(1)
  expect(frames.filter(({ choices }) => choices[0]?.delta.role !== undefined)).toHaveLength(1)
  expect(frames.at(-1).choices[0].finish_reason).toBe('length')
})

test.each([
  ['vllm', 'sglang'],
  ['sglang', 'llama-server'],
  ['llama-server', 'vllm'],
  ['openai', 'ollama'],
] as const)('an answer of %s goes on at %s', async (bad, good) => {
  const { url, second } = await badAndGood(['cut:7'], {
    bad: { engine: bad },
    good: { engine: good },
  })
  const whole = await streamed(second.url)
  const { events, broken } = await streamed(url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
})

test('an answer that had all its tokens and not its end gets that, and no token more', async () => {
  const bad = { engine: 'llama-server' } as const
  const { url, second } = await badAndGood([`cut:${question.max_tokens}`], { bad })
  const whole = await streamed(second.url)
  const { events, broken } = await streamed(url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
  expect(JSON.parse(events.at(-2) as string).choices[0].finish_reason).toBe('length')
})

test('a completion goes on from its prompt and what came of it', async () => {
  const { url, askedOf } = await badAndGood(['cut:5'])
  const body = { model: question.model, prompt: 'Once "upon"', max_tokens: 12, stream: true }
  const { events, broken } = await readEvents(await post(`${url}/v1/completions`, body))
  expect([broken, events.at(-1)]).toEqual([false, '[DONE]'])
  const text = events.slice(0, -1).map((event) => JSON.parse(event).choices[0]?.text ?? '')
  const { prompt, max_tokens: left } = askedOf('/v1/completions')
  expect(prompt).toBe(`Once "upon"${text.slice(0, 5).join('')}`)
  expect(left).toBe(7)
  expect(text.filter((word) => word !== '')).toHaveLength(12)
})

test('its tokens are those of the whole answer, for the client and in the log', async () => {
  const { url, second, logged } = await badAndGood(['cut:5'])
  const usageOf = ({ events }: { readonly events: readonly string[] }) =>
    JSON.parse(events.at(-2) as string).usage
  const asks = { stream_options: { include_usage: true } }
  const whole = usageOf(await streamed(second.url, asks))
  const usage = usageOf(await streamed(url, asks))
  expect(usage.completion_tokens).toBe(whole.completion_tokens)
  expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
  // A message more has its own tokens around it.
  expect(Math.abs(usage.prompt_tokens - whole.prompt_tokens)).toBeLessThan(8)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const { decisions } = (await (await fetch(`${url}/admin/v1/decisions?limit=1`)).json()) as {
    readonly decisions: readonly { readonly requestId: string }[]
  }
  const record = await fetch(`${url}/admin/v1/decisions/${decisions[0]?.requestId}`)
  expect(await record.json()).toMatchObject({ attempts: [{ isRest: false }, { isRest: true }] })
  expect(metrics).toContain(`motley_answers_continued_total{model="${question.model}"} 1`)
  expect(await logged()).toMatchObject({
    ...{ status: 200, error: null, endpoint: 'good', tokensCounted: true },
    completionTokens: whole.completion_tokens,
    attempts: ['bad: it closed the connection before its answer was whole', 'good: ok'],
  })
})

test('an answer that breaks off twice goes on twice', async () => {
  const [one, two, three] = await Promise.all([
    engine({ faults: ['cut:4'] }),
    engine({ faults: ['cut:6'] }),
    engine(),
  ])
  const [first, second, third] = endpointsOf({ one, two, three })
  const { url } = await fleet({
    endpoints: [
      { ...first, weight: 1_000 },
      { ...second, weight: 30 },
      { ...third, weight: 1 },
    ],
    routing: { strategy: 'least-connections' },
  })
  const whole = await streamed(three.url)
  const { events, broken } = await streamed(url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
  expect([one, two, three].map((each) => each.stats().started)).toEqual([1, 1, 2])
})

test('an engine that refuses what another began says all of it again, and the client hears the rest', async () => {
  const { url, second } = await badAndGood(['cut:5'], { good: { faults: ['reject-prefill'] } })
  const whole = await streamed(second.url)
  const { events, broken } = await streamed(url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
})

test.each([
  { temperature: 0, code: undefined },
  { temperature: 0.7, code: 'stream_interrupted' },
])(
  'behind a plain URL the answer is repeated where nothing is left to chance: $temperature',
  async ({ temperature, code }) => {
    const { url, second } = await badAndGood(['cut:5'], {
      good: { engine: 'openai' },
      retries: { returnMs: 0 },
    })
    const whole = await streamed(second.url, { temperature })
    const { events, broken } = await streamed(url, { temperature })
    expect(errorOf(events.slice(0, broken ? undefined : -1))).toBe(code)
    if (code === undefined) expect(contentOf(events)).toBe(contentOf(whole.events))
  },
)

test('an endpoint that takes up no begun answer is refused for that, and not asked', async () => {
  const { url, second, first } = await badAndGood(['cut:5'], {
    good: { engine: 'openai' },
    retries: { returnMs: 0 },
  })
  const response = await chat(url, { stream: true, temperature: 0.7 })
  await readEvents(response)
  expect([first, second].map((each) => each.stats().started)).toEqual([1, 0])
  const { out } = await motley(['why', response.headers.get('x-request-id') ?? '', '--url', url])
  expect(out).toMatch(/good +refused .* takes up no begun answer/)
  expect(out).toMatch(/bad +refused .* has failed this request already/)
  expect(out).not.toMatch(/good +chosen/)
})

test('an answer that turns out to be another one is not mixed with the first', async () => {
  const bad = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(chatEvent('Once upon '), () => response.destroy())
  })
  const other = await scriptedEngine(({ response }) => {
    answerStream(response, chatEvent('Once more '))
  })
  const [first, second] = endpointsOf({ bad, other })
  const { url } = await fleet({
    endpoints: [
      { ...first, weight: 100, engine: 'openai' },
      { ...second, engine: 'openai' },
    ],
    routing: { strategy: 'least-connections' },
  })
  const { events, broken } = await streamed(url, { temperature: 0 })
  expect(broken).toBe(true)
  expect(errorOf(events)).toBe('stream_interrupted')
  expect(contentOf(events.slice(0, -1))).toBe('Once upon ')
})

test('what came as no event stream is not gone on with', async () => {
  const bad = await scriptedEngine(({ response }) => {
    response.write('Once upon ', () => response.destroy())
  })
  const good = await engine()
  const [first, second] = endpointsOf({ bad, good })
  const { url } = await fleet({
    endpoints: [{ ...first, weight: 100 }, second],
    routing: { strategy: 'least-connections' },
  })
  const { text, broken } = await streamed(url, { temperature: 0 })
  expect([text, broken]).toEqual(['Once upon ', true])
  expect(good.stats().started).toBe(0)
})

test('a fallback goes on where no other endpoint serves the model', async () => {
  const bad = await engine({ models: ['big'], faults: ['cut:5'] })
  const good = await engine({ models: ['small'] })
  const { url } = await fleet({
    endpoints: endpointsOf({ bad, good }),
    models: { big: { fallback: ['small'] } },
  })
  const { events, broken } = await streamed(url, { model: 'big' })
  expect([broken, events.at(-1)]).toEqual([false, '[DONE]'])
  const [asked] = good.received().filter(({ path }) => path === '/v1/chat/completions')
  const { model, messages } = JSON.parse(String(asked?.body))
  expect(model).toBe('small')
  expect(contentOf(events).startsWith(messages.at(-1).content)).toBe(true)
  const told = new Set(events.slice(0, -1).map((event) => JSON.parse(event).model))
  expect([...told]).toEqual(['big', 'small'])
})

const parameters = { type: 'object', properties: { where: {}, when: {}, how: {} } }
const tool = { type: 'function', function: { name: 'look', parameters } }

test.each([
  ['a tool is called', { tools: [tool], tool_choice: 'required' }],
  [
    'a tool is called though none had to be',
    { tools: [tool], messages: [{ role: 'user', content: 'Now call the tool.' }] },
  ],
  ['a form of JSON is asked for', { response_format: { type: 'json_object' } }],
  ['two choices are asked for', { n: 2 }],
  [
    'the client began the answer itself',
    { messages: [...question.messages, { role: 'assistant', content: 'Well,' }] },
  ],
])('where %s, an answer that broke off ends in an error', async (_what, body) => {
  const { url, second } = await badAndGood(['cut:5'])
  const { events, broken } = await streamed(url, body)
  expect([broken, errorOf(events)]).toEqual([true, 'stream_interrupted'])
  expect(second.stats().started).toBe(0)
})

test('whoever wants no answer of two engines gets the error', async () => {
  const { url, second } = await badAndGood(['cut:5'], { retries: { continueAnswers: false } })
  const { events, broken } = await streamed(url)
  expect([broken, errorOf(events)]).toEqual([true, 'stream_interrupted'])
  expect(second.stats().started).toBe(0)
})

test('where nobody is left to go on, the error says whose answer broke off', async () => {
  const { url } = await badAndGood(['cut:5'], { good: { faults: ['status:500'] } })
  const { events, broken } = await streamed(url)
  expect([broken, errorOf(events)]).toEqual([true, 'stream_interrupted'])
  expect(JSON.parse(events.at(-1) as string).error.message).toContain('"bad"')
})

test('a client that leaves while its answer goes on elsewhere ends it there, too', async () => {
  const { url, second } = await badAndGood(['cut:5'], { good: { faults: ['stall:3:60s'] } })
  const abort = new AbortController()
  const response = await chat(url, { stream: true }, { signal: abort.signal })
  const read = readEvents(response)
  await untilTrue('it goes on', () => second.stats().started === 1)
  abort.abort()
  expect((await read).broken).toBe(true)
  await untilTrue('the engine was told', () => second.stats().running === 0, {
    seen: () => second.stats(),
  })
})

/** Reads a stream, and has something happen once it has said so many words. */
async function readCalling(words: number, response: Response, happen: () => unknown) {
  const decoder = new TextDecoder()
  let text = ''
  let happened = false
  const told = new ReadableStream<Uint8Array>({
    async start(controller) {
      try {
        for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
          controller.enqueue(bytes)
          text += decoder.decode(bytes, { stream: true })
          if (happened || text.split('"content"').length <= words) continue
          happened = true
          happen()
        }
        controller.close()
      } catch (error) {
        controller.error(error)
      }
    },
  })
  return readEvents(new Response(told))
}

/** A stream whose only engine goes away in the middle, and the gateway that waits with it. */
async function brokenOff(retries: object = {}) {
  const only = await engine({ faults: ['stall:5:60s'] })
  const made = await fleet({ endpoints: endpointsOf({ only }), gateway: { retries } })
  const abort = new AbortController()
  const response = await chat(made.url, { stream: true }, { signal: abort.signal })
  const read = readCalling(5, response, () => only.setFaults(['refuse']))
  await made.until('its engine is gone', ([row]) => row?.state === 'failed')
  return { only, read, abort, id: response.headers.get('x-request-id') ?? '', ...made }
}

test('an answer whose only machine dies waits until it is back, and goes on there', async () => {
  const { only, read, id, url } = await brokenOff()
  only.setFaults([])
  const { events, broken } = await read
  const whole = await streamed(only.url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
  const { out } = await motley(['why', id, '--url', url])
  expect(out).toMatch(/Attempt \d: \S+ on only: sent after .*, for the rest; ok/)
  expect(out).toMatch(/\d m?s of it waiting until an endpoint was there/)
  expect(out).not.toContain('waiting for room')
})

test('an answer of which nothing was said yet waits for its only machine as well', async () => {
  const only = await engine({ faults: ['stall:0:60s'] })
  const { url, until } = await fleet({ endpoints: endpointsOf({ only }) })
  const response = await chat(url, { stream: true })
  only.setFaults(['refuse'])
  await until('its engine is gone', ([row]) => row?.state === 'failed')
  only.setFaults([])
  const { events, broken } = await readEvents(response)
  const whole = await streamed(only.url)
  expect([broken, contentOf(events)]).toEqual([false, contentOf(whole.events)])
})

test('an answer whose machine stays away ends with the error of that machine', async () => {
  const { read, id, url } = await brokenOff({ returnMs: 200 })
  const { events, broken } = await read
  expect([broken, errorOf(events)]).toEqual([true, 'stream_interrupted'])
  expect(JSON.parse(events.at(-1) as string).error.message).toContain('"only"')
  const { out } = await motley(['why', id, '--url', url])
  expect(out).toMatch(/: broke off after \d+ ms \(it had begun with 200\)/)
})

test('a client that leaves while its answer waits for a machine is forgotten', async () => {
  const { gateway, read, abort, url } = await brokenOff()
  await untilTrue('it waits', () => gateway.vitals.queued === 1)
  const page = (await (await fetch(`${url}/admin/v1/decisions`)).json()) as { running: unknown }
  expect(page.running).toMatchObject([
    { begunBy: 'only', stage: { kind: 'waiting', for: 'endpoint' } },
  ])
  abort.abort()
  await read
  await untilTrue('nothing is left', () => gateway.vitals.inFlight + gateway.vitals.queued === 0)
})

/** The real engine, as a process of its own. */
async function embedded() {
  const child = spawn(
    process.execPath,
    [
      ...['--conditions=motley-source', '--disable-warning=ExperimentalWarning'],
      ...[packageFile('src/embedded/main.ts'), '--model', 'models/motley-tiny.gguf'],
      ...['--slots', '1', '--threads', '1', '--cpu-only'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  afterTest(() => {
    child.kill('SIGKILL')
  })
  let url = ''
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { url?: string; ready?: boolean }
    url = said.url ?? url
    if (said.url === undefined) break
  }
  return { url, child }
}

test('a real engine that is killed in the middle of its answer: another one finishes it, word for word', async () => {
  const [one, two] = [await embedded(), await embedded()]
  const { url } = await fleet({
    endpoints: [
      { name: 'one', url: one.url, weight: 100, health: { intervalMs: 100 } },
      { name: 'two', url: two.url, weight: 1, health: { intervalMs: 100 } },
    ],
    routing: { strategy: 'least-connections' },
  })
  const body = {
    ...{ model: 'motley-tiny', stream: true, temperature: 0, max_tokens: 200 },
    messages: [{ role: 'user', content: 'Tell me a story about a cat.' }],
  }
  const whole = await readEvents(await post(`${two.url}/v1/chat/completions`, body))
  const response = await post(`${url}/v1/chat/completions`, body)
  expect(response.headers.get('x-motley-endpoint')).toBe('one')
  const { events, text } = await readCalling(10, response, () => one.child.kill('SIGKILL'))
  expect(events.at(-1)).toBe('[DONE]')
  expect(text).toContain(': the answer broke off here, and goes on')
  expect(contentOf(events)).toBe(contentOf(whole.events))
})
