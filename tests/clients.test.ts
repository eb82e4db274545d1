/** The clients that people use work unchanged: the `openai` package and the Vercel AI SDK. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { endpointsOf, engine, fleet } from './harness/fleet.ts'

const model = 'llama-3.1-8b'
const messages = [{ role: 'user' as const, content: 'Say something.' }]

async function served(faults: string[] = []) {
  const one = await engine({ faults, models: [model, 'bge-m3'] })
  const made = await fleet({ endpoints: endpointsOf({ one }) })
  const client = new OpenAI({ baseURL: `${made.url}/v1`, apiKey: 'unused', maxRetries: 0 })
  const sdk = createOpenAICompatible({ name: 'motley', baseURL: `${made.url}/v1` })
  return { one, client, sdk, ...made }
}

test('openai: chat, stream with usage, completions, embeddings and models', async () => {
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
  expect(usage).toMatchObject({ completion_tokens: 8 })
  expect((await client.completions.create({ model, prompt: 'Once' })).choices[0]?.text).toBeTruthy()
  const vectors = await client.embeddings.create({ model: 'bge-m3', input: ['a', 'b'] })
  expect(vectors.data).toHaveLength(2)
  expect((await client.models.list()).data.map(({ id }) => id)).toContain(model)
})

test('openai: tool calls pass through, streamed and whole', async () => {
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

test('openai: errors are its typed exceptions, in mid-stream too', async () => {
  const { client } = await served()
  await expect(client.chat.completions.create({ model: 'nope', messages })).rejects.toBeInstanceOf(
    OpenAI.NotFoundError,
  )
  const cut = await served(['cut:5'])
  const reading = async () => {
    for await (const _ of await cut.client.chat.completions.create({
      model,
      messages,
      stream: true,
    })) {
      // Read to the end, which is an error.
    }
  }
  await expect(reading()).rejects.toBeInstanceOf(OpenAI.APIError)
  const limited = await served(['429:9s'])
  await expect(limited.client.chat.completions.create({ model, messages })).rejects.toBeInstanceOf(
    OpenAI.RateLimitError,
  )
  const wrong = await served(['status:400'])
  await expect(wrong.client.chat.completions.create({ model, messages })).rejects.toBeInstanceOf(
    OpenAI.BadRequestError,
  )
})

test('openai: an aborted stream ends at the engine', async () => {
  const { client, one } = await served(['stall:3:60s'])
  const stream = await client.chat.completions.create({ model, messages, stream: true })
  let chunks = 0
  for await (const _ of stream) if (++chunks === 2) break
  stream.controller.abort()
  while (one.stats().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(one.stats().aborted + one.stats().faulted).toBe(1)
})

test('the AI SDK: text, stream, embedding and a failed call', async () => {
  const { sdk } = await served()
  const whole = await generateText({
    model: sdk(model),
    prompt: 'Say something.',
    maxOutputTokens: 8,
    seed: 1,
  })
  const streamed = streamText({
    model: sdk(model),
    prompt: 'Say something.',
    maxOutputTokens: 8,
    seed: 1,
  })
  let text = ''
  for await (const part of streamed.textStream) text += part
  expect(text).toBe(whole.text)
  const { embedding } = await embed({ model: sdk.embeddingModel('bge-m3'), value: 'a' })
  expect(embedding.length).toBeGreaterThan(1)
  await expect(
    generateText({ model: sdk('nope'), prompt: 'Hi', maxRetries: 0 }),
  ).rejects.toMatchObject({ statusCode: 404 })
})
