/**
 * The sixteen scenarios of Failover Bench (methodology v0.1), each in our own words: a provider whose
 * first model fails, two retries, one fallback model. Its times, of up to two minutes, are a
 * hundredth here. Whoever asks gets a whole and right answer, or the honest error where that is
 * right.
 */
import { expect, test } from 'vitest'
import type { EmulatorOptions } from '#emulator/options.ts'
import { chat, contentOf, endpointsOf, engine, fleet, readEvents } from './harness/fleet.ts'
import { answerStream, chatEvent, finishEvent, scriptedEngine } from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const words = 60
const asked = { model: 'first', max_tokens: words, temperature: 0 }

async function provider(
  faults: string[],
  so: {
    readonly fallback?: Partial<EmulatorOptions>
    readonly first?: Partial<EmulatorOptions>
    readonly timeouts?: object
  } = {},
) {
  const first = await engine({ models: ['first'], faults, ...so.first })
  const fallback = await engine({ models: ['second'], ...so.fallback })
  const made = await fleet(
    {
      endpoints: endpointsOf({ first, fallback }),
      models: { first: { fallback: ['second'] } },
      gateway: {
        retries: { maxAttempts: 4 },
        timeouts: { firstByteMs: 300, betweenChunksMs: 300, ...so.timeouts },
      },
      routing: { strategy: 'least-connections' },
    },
    { settled: false },
  )
  await made.until('both were asked', (rows) => rows.every(({ state }) => state !== 'loading'))
  return { first, fallback, ...made }
}

/** The same question whole and as a stream; who answered, and how many words each has. */
async function answers(url: string, body: object = {}) {
  const whole = await chat(url, { ...asked, ...body })
  const { model, choices } = (await whole.json()) as {
    readonly model: string
    readonly choices: readonly { readonly message: { readonly content: string } }[]
  }
  const response = await chat(url, { ...asked, ...body, stream: true })
  const { events, broken } = await readEvents(response)
  return {
    whole: { status: whole.status, model, words: wordsOf(choices[0]?.message.content ?? '') },
    stream: {
      status: response.status,
      broken,
      end: events.at(-1),
      words: wordsOf(contentOf(events)),
    },
  }
}

const wordsOf = (text: string): number => text.split(' ').length

const wholeFrom = (model: string) => ({
  whole: { status: 200, model, words },
  stream: { status: 200, broken: false, end: '[DONE]', words },
})

test.each([
  { name: 'S01 a 429 with Retry-After, once', faults: ['429:1s@first=1'], by: 'second' },
  { name: 'S02 a 429 for ever', faults: ['429:1s'], by: 'second' },
  { name: 'S03 a 500, once', faults: ['status:500@first=1'], by: 'first' },
  { name: 'S04 a 503 for ever', faults: ['status:503'], by: 'second' },
  { name: 'S05 a reset before the headers', faults: ['reset'], by: 'second' },
  { name: 'S06 silence for minutes', faults: ['hang'], by: 'second' },
])('$name', async ({ faults, by }) => {
  const { url } = await provider(faults)
  expect(await answers(url)).toEqual(wholeFrom(by))
})

test('S07 a first token that takes far longer than the limit for it', async () => {
  const { url } = await provider(['slow-first-token:30s'], { timeouts: { firstByteMs: 100 } })
  expect(await answers(url)).toEqual(wholeFrom('second'))
})

test('S07 a first token that takes far longer than its engine is known to need', async () => {
  const quick = await engine({ models: ['first'], speed: 20 })
  const other = await engine({ models: ['first'], speed: 5 })
  const { url } = await fleet(
    {
      endpoints: endpointsOf({ quick, other }),
      gateway: { retries: { lateFirstByteMs: 200 } },
    },
    { chance: () => 0 },
  )
  const stream = async () => readEvents(await chat(url, { ...asked, stream: true }))
  // Until nothing that is predicted of either is a guess.
  for (let call = 0; call < 12; call++) await stream()
  const startedBefore = quick.stats().started
  quick.setFaults(['slow-first-token:900s'])
  const { events, broken } = await stream()
  expect([broken, events.at(-1), wordsOf(contentOf(events))]).toEqual([false, '[DONE]', words])
  expect(quick.stats().started).toBe(startedBefore + 1)
})

test.each([
  { name: 'S08 a stream that is cut at 40 of 60 tokens', fault: 'cut:40' },
  { name: 'S09 a stream that stalls', fault: 'stall:40:30s' },
  { name: 'S10 no JSON in the tenth event', fault: 'garbage:10' },
])('$name', async ({ fault }) => {
  const { url } = await provider([fault])
  const { events, broken } = await readEvents(await chat(url, { ...asked, stream: true }))
  expect([broken, events.at(-1), wordsOf(contentOf(events))]).toEqual([false, '[DONE]', words])
})

test('S11 a stream without [DONE]', async () => {
  const { url } = await provider(['no-done'])
  expect(await answers(url)).toEqual(wholeFrom('first'))
})

test('S12 a prompt that is too long for the first model', async () => {
  const { url } = await provider(['context-length'])
  expect(await answers(url)).toEqual(wholeFrom('second'))
})

test('S13 a content filter has the last word', async () => {
  const { url, fallback } = await provider(['content-filter'])
  const response = await chat(url, asked)
  expect(response.status).toBe(400)
  expect(await response.text()).toContain('content')
  expect(fallback.stats().started).toBe(0)
})

test('S14 a stream that is cut, and a fallback that takes no begun answer', async () => {
  const said = Array.from({ length: words }, (_, at) => chatEvent(at === 0 ? 'w0' : ` w${at}`))
  const cut = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(said.slice(0, 40).join(''), () => response.destroy())
  })
  const refuses = await scriptedEngine(({ response, body }) => {
    const isBegun = JSON.parse(String(body)).messages.at(-1).role === 'assistant'
    if (isBegun) response.writeHead(400).end('{"error":{"message":"no prefill"}}')
    else answerStream(response, said.join('') + finishEvent())
  })
  const [first, second] = endpointsOf({ cut, refuses }, { engine: 'vllm' })
  const { url } = await fleet({
    endpoints: [
      { ...first, models: ['first'] },
      { ...second, models: ['second'] },
    ],
    models: { first: { fallback: ['second'] } },
    routing: { strategy: 'least-connections' },
  })
  const { events, broken } = await readEvents(await chat(url, { ...asked, stream: true }))
  expect([broken, contentOf(events)]).toEqual([
    false,
    Array.from({ length: words }, (_, at) => `w${at}`).join(' '),
  ])
})

test('S15 an outage: every call is answered, and the first model is back after it', async () => {
  const { url, first } = await provider(['status:503'])
  for (let call = 0; call < 20; call++) {
    expect(await (await chat(url, asked)).json()).toMatchObject({ model: 'second' })
  }
  first.setFaults([])
  const answersAgain = async () => {
    const { model } = (await (await chat(url, asked)).json()) as { readonly model: string }
    return model === 'first'
  }
  await untilTrue('the first model answers again', answersAgain)
})

test('S16 model and usage are those of the fallback', async () => {
  const { url, fallback } = await provider(['status:503'])
  const body = { ...asked, stream: true, stream_options: { include_usage: true } }
  const usageOf = ({ events }: { readonly events: readonly string[] }) =>
    JSON.parse(events.at(-2) as string)
  const own = usageOf(await readEvents(await chat(fallback.url, { ...body, model: 'second' })))
  const told = usageOf(await readEvents(await chat(url, body)))
  expect(told).toMatchObject({ model: 'second', usage: own.usage })
})
