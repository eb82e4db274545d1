/** The clients that people use work unchanged: the `openai` package and the Vercel AI SDK. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { endpointsOf, engine, fleet } from './harness/fleet.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

const model = 'llama-3.1-8b'
const messages = [{ role: 'user' as const, content: 'Say something.' }]

async function served(faults: string[] = []) {
  const one = await engine({ faults, models: [model, 'bge-m3'] })
  const made = await fleet({ endpoints: endpointsOf({ one }) })
  const client = new OpenAI({ baseURL: `${made.url}/v1`, apiKey: 'unused', maxRetries: 0 })
  const sdk = createOpenAICompatible({ name: 'motley', baseURL: `${made.url}/v1` })
  return { one, client, sdk, ...made }
}

test('the openai package reads the same answer streamed and whole, with its usage', async () => {
  const { client } = await served()
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 8, seed: 1 })
  let streamed = ''
  let usage: OpenAI.CompletionUsage | null | undefined
  const stream = await client.chat.completions.create({
    ...{ model, messages, max_tokens: 8, seed: 1 },
    stream: true,
    stream_options: { include_usage: true },
  })
  for await (const chunk of stream) {
    streamed += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage ?? usage
  }
  expect(streamed).toBe(whole.choices[0]?.message.content)
  expect(streamed).not.toBe('')
  expect(usage).toMatchObject({ completion_tokens: 8 })
})

test('the openai package reads completions', async () => {
  const { client } = await served()
  const { choices } = await client.completions.create({ model, prompt: 'Once', max_tokens: 4 })
  expect(choices[0]?.text).toBeTruthy()
})

test('the openai package reads embeddings', async () => {
  const { client } = await served()
  const vectors = await client.embeddings.create({ model: 'bge-m3', input: ['a', 'b'] })
  expect(vectors.data.map(({ index }) => index)).toEqual([0, 1])
  expect(vectors.data[0]?.embedding.length).toBeGreaterThan(1)
})

test('the openai package lists the models of the fleet', async () => {
  const { client } = await served()
  expect((await client.models.list()).data.map(({ id }) => id).toSorted()).toEqual([
    'bge-m3',
    model,
  ])
})

test('the openai package gets tool calls, streamed and whole', async () => {
  const { client } = await served()
  const tools = [
    {
      type: 'function' as const,
      function: { name: 'weather', parameters: { type: 'object', properties: {} } },
    },
  ]
  const ask = { model, messages, tools, tool_choice: 'required' as const }
  const whole = await client.chat.completions.create(ask)
  const call = whole.choices[0]?.message.tool_calls?.[0]
  expect(call?.type === 'function' ? call.function.name : null).toBe('weather')
  let name = ''
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
    name += chunk.choices[0]?.delta.tool_calls?.[0]?.function?.name ?? ''
  }
  expect(name).toBe('weather')
})

test.each([
  { what: 'a 404 for an unknown model', faults: [], ask: 'nope', error: OpenAI.NotFoundError },
  { what: 'a 429 of the engine', faults: ['429:9s'], ask: model, error: OpenAI.RateLimitError },
  {
    what: 'a 400 of the engine',
    faults: ['status:400'],
    ask: model,
    error: OpenAI.BadRequestError,
  },
])('the openai package throws its typed error for $what', async ({ faults, ask, error }) => {
  const { client } = await served(faults)
  await expect(client.chat.completions.create({ model: ask, messages })).rejects.toBeInstanceOf(
    error,
  )
})

test('the openai package throws when a stream breaks off', async () => {
  const { client } = await served(['cut:5'])
  const stream = await client.chat.completions.create({ model, messages, stream: true })
  let chunks = 0
  const reading = async () => {
    for await (const _ of stream) chunks++
  }
  await expect(reading()).rejects.toBeInstanceOf(OpenAI.APIError)
  expect(chunks).toBeGreaterThan(0)
})

test('a stream that the openai package aborts ends at the engine', async () => {
  const { client, one } = await served(['stall:3:60s'])
  const stream = await client.chat.completions.create({ model, messages, stream: true })
  let chunks = 0
  for await (const _ of stream) if (++chunks === 2) break
  stream.controller.abort()
  await untilTrue('the engine is free', () => one.stats().inFlight === 0)
  expect(one.stats().aborted + one.stats().faulted).toBe(1)
})

test('the AI SDK reads the same text streamed and whole', async () => {
  const { sdk } = await served()
  const ask = { model: sdk(model), prompt: 'Say something.', maxOutputTokens: 8, seed: 1 }
  const whole = await generateText(ask)
  let text = ''
  for await (const part of streamText(ask).textStream) text += part
  expect(text).toBe(whole.text)
  expect(text).not.toBe('')
})

test('the AI SDK reads an embedding', async () => {
  const { sdk } = await served()
  const { embedding } = await embed({ model: sdk.embeddingModel('bge-m3'), value: 'a' })
  expect(embedding.length).toBeGreaterThan(1)
})

test('the AI SDK throws an error that carries the status', async () => {
  const { sdk } = await served()
  await expect(
    generateText({ model: sdk('nope'), prompt: 'Hi', maxRetries: 0 }),
  ).rejects.toMatchObject({ statusCode: 404 })
})

/** Two engines as processes, of which the first is asked, and killed once its answer has begun. */
async function mortal() {
  const [one, two] = [await emulated('--decode-rate', '60'), await emulated()]
  const [first, second] = endpointsOf({ one, two })
  const { url } = await fleet({
    endpoints: [{ ...first, weight: 1_000 }, second],
    routing: { strategy: 'least-connections' },
  })
  const ask = { model, messages, max_tokens: 30 }
  const whole = await new OpenAI({ baseURL: `${two.url}/v1`, apiKey: 'unused' }).chat.completions
    .create(ask)
    .then(({ choices }) => choices[0]?.message.content)
  let words = 0
  return {
    ...{ url, ask, whole },
    oneWord: () => {
      if (++words === 5) one.child.kill('SIGKILL')
    },
  }
}

async function emulated(...more: readonly string[]) {
  const command = [packageFile('bin/motley'), 'emulate', '--json', ...more]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
  afterTest(() => {
    child.kill('SIGKILL')
  })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { url: (JSON.parse(line) as { url: string }).url, child }
}

test('the openai package reads one whole answer although its engine is killed', async () => {
  const { url, ask, whole, oneWord } = await mortal()
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 })
  const stream = client.chat.completions.stream({
    ...ask,
    stream_options: { include_usage: true },
  })
  stream.on('content', oneWord)
  const { choices, usage } = await stream.finalChatCompletion()
  expect(choices[0]?.message).toMatchObject({ role: 'assistant', content: whole })
  expect([choices[0]?.finish_reason, usage?.completion_tokens]).toEqual(['length', 30])
})

test('the AI SDK reads one whole answer although its engine is killed', async () => {
  const { url, whole, oneWord } = await mortal()
  const sdk = createOpenAICompatible({
    name: 'motley',
    baseURL: `${url}/v1`,
    includeUsage: true,
  })
  const stream = streamText({ model: sdk(model), messages, maxOutputTokens: 30, maxRetries: 0 })
  let text = ''
  for await (const part of stream.textStream) {
    text += part
    oneWord()
  }
  expect(text).toBe(whole)
  expect([await stream.finishReason, (await stream.usage).outputTokens]).toEqual(['length', 30])
})
