import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmulatedEngine, emulatedEngines } from '#emulator/emulated-engine.ts'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import { fieldsField, isFields, listField, textField } from '#emulator/request-fields.ts'

const models = ['llama-3.1-8b', 'llama-reasoner']
const [model = ''] = models
const messages = [{ role: 'user', content: 'Hello there.' }]
const emulators = new Map<EmulatedEngine, Emulator>()

beforeAll(async () => {
  for (const engine of emulatedEngines) {
    emulators.set(engine, await startEmulator({ engine, models, speed: 0, tasks: ['messages'] }))
  }
})

afterAll(async () => {
  await Promise.all([...emulators.values()].map((emulator) => emulator.close()))
})

async function ask(engine: EmulatedEngine, path: string, body: unknown) {
  const response = await fetch(`${emulators.get(engine)?.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  const text = await response.text()
  return { status: response.status, type: response.headers.get('content-type'), text }
}

async function askJson(engine: EmulatedEngine, path: string, body: unknown): Promise<unknown> {
  return JSON.parse((await ask(engine, path, body)).text)
}

/** The data of each event, `[DONE]` as it is. */
function events(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => frame.slice(frame.indexOf('data: ') + 'data: '.length))
    .map((data) => (data === '[DONE]' ? data : JSON.parse(data)))
}

async function streamed(engine: EmulatedEngine, path: string, body: object): Promise<unknown[]> {
  return events((await ask(engine, path, { stream: true, ...body })).text)
}

/** All text of the first choice of a chat stream. */
function joined(chunks: readonly unknown[], field = 'content'): string {
  let text = ''
  for (const chunk of chunks) {
    const [choice] = isFields(chunk) ? listField(chunk, 'choices') : []
    const delta = isFields(choice) ? fieldsField(choice, 'delta') : null
    text += delta === null ? '' : (textField(delta, field) ?? '')
  }
  return text
}

function contentOf(answer: unknown): string {
  const [choice] = isFields(answer) ? listField(answer, 'choices') : []
  const message = isFields(choice) ? fieldsField(choice, 'message') : null
  return message === null ? '' : (textField(message, 'content') ?? '')
}

const chat = '/v1/chat/completions'

describe.each(emulatedEngines)('%s chat', (engine) => {
  test('streams the same words that it gives whole', async () => {
    const body = { model, messages, max_tokens: 12 }
    const chunks = await streamed(engine, chat, body)
    expect(joined(chunks)).toBe(contentOf(await askJson(engine, chat, body)))
    expect(chunks[0]).toMatchObject({ choices: [{ delta: { role: 'assistant', content: '' } }] })
    expect(chunks.at(-1)).toBe('[DONE]')
    expect(chunks.filter((chunk) => chunk === '[DONE]')).toHaveLength(1)
  })

  test('sends a usage chunk only when asked', async () => {
    const body = { model, messages, max_tokens: 12 }
    const without = await ask(engine, chat, { ...body, stream: true })
    expect(without.text).not.toContain('"usage"')
    const chunks = await streamed(engine, chat, {
      ...body,
      stream_options: { include_usage: true },
    })
    expect(chunks.at(-2)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 6, completion_tokens: 12, total_tokens: 18 },
    })
  })

  test('names one reason to finish for each choice', async () => {
    const chunks = await streamed(engine, chat, { model, messages, max_tokens: 3, n: 2 })
    const reasons = chunks.flatMap((chunk) =>
      (isFields(chunk) ? listField(chunk, 'choices') : []).filter(isFields).flatMap((choice) => {
        const reason = textField(choice, 'finish_reason')
        return reason === null ? [] : [`${String(choice['index'])} ${reason}`]
      }),
    )
    expect(reasons.sort()).toEqual(['0 length', '1 length'])
  })

  test('calls a tool in pieces, and whole', async () => {
    const body = {
      model,
      messages: [{ role: 'user', content: 'Please call the tool.' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
          },
        },
      ],
    }
    const whole = await askJson(engine, chat, body)
    expect(whole).toMatchObject({
      choices: [
        {
          finish_reason: 'tool_calls',
          message: { tool_calls: [{ type: 'function', function: { name: 'weather' } }] },
        },
      ],
    })
    const chunks = await streamed(engine, chat, body)
    const calls = chunks.flatMap((chunk) => {
      const [choice] = isFields(chunk) ? listField(chunk, 'choices') : []
      const delta = isFields(choice) ? fieldsField(choice, 'delta') : null
      return delta === null ? [] : listField(delta, 'tool_calls').filter(isFields)
    })
    expect(calls[0]).toMatchObject({ index: 0, type: 'function', function: { name: 'weather' } })
    const text = calls
      .map((call) => textField(fieldsField(call, 'function') ?? {}, 'arguments') ?? '')
      .join('')
    expect(JSON.parse(text)).toEqual({ city: expect.any(String) })
  })

  test('continues the answer that it is given, when asked as this engine wants it', async () => {
    const flags =
      engine === 'vllm' || engine === 'sglang'
        ? { continue_final_message: true, add_generation_prompt: false }
        : {}
    const whole = contentOf(await askJson(engine, chat, { model, messages }))
    const begun = whole.split(' ').slice(0, 10).join(' ')
    const body = { model, ...flags, messages: [...messages, { role: 'assistant', content: begun }] }
    const rest = joined(await streamed(engine, chat, body))
    // llama-server repeats what it was given, unless it streams and is asked not to.
    expect(engine === 'llama-server' ? rest : begun + rest).toBe(whole)
    const asked = { ...body, continue_final_message: true, add_generation_prompt: false }
    expect(begun + joined(await streamed(engine, chat, asked))).toBe(whole)
    const answer = contentOf(await askJson(engine, chat, body))
    expect(engine === 'llama-server' ? answer : begun + answer).toBe(whole)
  })

  test('gives logprobs in shape', async () => {
    const answer = await askJson(engine, chat, { model, messages, max_tokens: 2, logprobs: true })
    expect(answer).toMatchObject({
      choices: [
        { logprobs: { content: [{ token: expect.any(String), logprob: expect.any(Number) }, {}] } },
      ],
    })
  })

  test('thinks first with a model that reasons', async () => {
    const field = engine === 'vllm' || engine === 'ollama' ? 'reasoning' : 'reasoning_content'
    const body = { model: 'llama-reasoner', messages, max_tokens: 30 }
    const chunks = await streamed(engine, chat, body)
    expect(joined(chunks, field).split(' ')).toHaveLength(10)
    expect(joined(chunks).split(' ')).toHaveLength(20)
  })
})

test('vLLM opens a new answer after a last assistant message unless it is told to go on', async () => {
  const begun = [...messages, { role: 'assistant', content: 'Ships' }]
  const first = contentOf(await askJson('vllm', chat, { model, messages: begun }))
  expect(first).not.toBe(contentOf(await askJson('vllm', chat, { model, messages })))
  const half = await ask('vllm', chat, { model, messages: begun, continue_final_message: true })
  expect(half.status).toBe(400)
  expect(half.text).toContain('add_generation_prompt')
})

test('vLLM puts the reason on the last piece, and usage into every chunk when asked', async () => {
  const chunks = await streamed('vllm', chat, {
    model,
    messages,
    max_tokens: 3,
    stream_options: { include_usage: true, continuous_usage_stats: true },
  })
  expect(chunks[3]).toMatchObject({
    choices: [{ delta: { content: expect.stringMatching(/\w/) }, finish_reason: 'length' }],
    usage: { completion_tokens: 3 },
  })
  expect(chunks[1]).toMatchObject({ usage: { completion_tokens: 1 } })
  expect(chunks).toHaveLength(6)
})

test('llama-server tells its timings in the last chunk', async () => {
  const body = { model, messages, max_tokens: 3 }
  const chunks = await streamed('llama-server', chat, body)
  expect(chunks.at(-2)).toMatchObject({
    choices: [{ delta: {}, finish_reason: 'length' }],
    timings: { prompt_n: 6, predicted_n: 3 },
  })
  const withUsage = await streamed('llama-server', chat, {
    ...body,
    stream_options: { include_usage: true },
  })
  expect(withUsage.at(-2)).toMatchObject({ usage: {}, timings: { predicted_n: 3 } })
})

test('mistakes in a request are named', async () => {
  expect((await ask('vllm', chat, { model, messages: [] })).status).toBe(400)
  expect((await ask('vllm', chat, { model, messages, n: 1.5 })).status).toBe(400)
  expect((await ask('vllm', chat, { model, messages, max_tokens: 0 })).status).toBe(400)
  expect((await ask('openai', chat, { messages })).status).toBe(400)
  expect((await ask('vllm', chat, { messages })).status).toBe(200)
})

test('completions stream and come whole, with echo and logprobs', async () => {
  const body = { model, prompt: 'Once upon', max_tokens: 5 }
  const whole = await askJson('vllm', '/v1/completions', { ...body, logprobs: 1, echo: true })
  expect(whole).toMatchObject({
    object: 'text_completion',
    choices: [{ text: expect.stringMatching(/^Once upon\w/), logprobs: { tokens: { length: 5 } } }],
  })
  const chunks = await streamed('vllm', '/v1/completions', body)
  expect(chunks).toHaveLength(6)
  expect(chunks[0]).toMatchObject({ object: 'text_completion', choices: [{ index: 0 }] })
  expect(chunks[4]).toMatchObject({ choices: [{ finish_reason: 'length' }] })
})

test('the Responses API streams named events that count themselves, and no [DONE]', async () => {
  const body = { model, input: 'Hello there.', max_output_tokens: 4 }
  const { text, type } = await ask('vllm', '/v1/responses', { ...body, stream: true })
  expect(type).toContain('text/event-stream')
  const names = [...text.matchAll(/^event: (.*)$/gm)].map((match) => match[1])
  expect(names).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    ...Array(4).fill('response.output_text.delta'),
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.incomplete',
  ])
  expect(events(text).map((event) => isFields(event) && event['sequence_number'])).toEqual(
    names.map((_, index) => index),
  )
  const whole = await askJson('vllm', '/v1/responses', { model, input: messages })
  expect(whole).toMatchObject({
    object: 'response',
    status: 'completed',
    output: [{ type: 'message', content: [{ type: 'output_text' }] }],
    usage: { input_tokens: 6 },
  })
})

test('the Messages API streams Anthropic events', async () => {
  const body = { model, messages, max_tokens: 4 }
  const { text } = await ask('vllm', '/v1/messages', { ...body, stream: true })
  const names = [...text.matchAll(/^event: (.*)$/gm)].map((match) => match[1])
  expect(names).toEqual([
    'message_start',
    'content_block_start',
    ...Array(4).fill('content_block_delta'),
    'content_block_stop',
    'message_delta',
    'message_stop',
  ])
  expect(await askJson('vllm', '/v1/messages', body)).toMatchObject({
    type: 'message',
    content: [{ type: 'text' }],
    stop_reason: 'max_tokens',
    usage: { input_tokens: 6, output_tokens: 4 },
  })
  const count = await askJson('vllm', '/v1/messages/count_tokens', body)
  expect(count).toEqual({ input_tokens: 6 })
  const tools = [{ name: 'weather', input_schema: { type: 'object', properties: {} } }]
  const call = await askJson('vllm', '/v1/messages', {
    ...body,
    tools,
    tool_choice: { type: 'any' },
  })
  expect(call).toMatchObject({
    stop_reason: 'tool_use',
    content: [{ type: 'tool_use', name: 'weather', input: {} }],
  })
})

test('Ollama ends an answer with the context, however long one was asked for', async () => {
  const { contextTokens = 0 } = emulators.get('ollama')?.settings ?? {}
  const body = { model, messages, stream: false, options: { num_predict: 1e12 } }
  expect(await askJson('ollama', '/api/chat', body)).toMatchObject({
    done_reason: 'length',
    eval_count: contextTokens,
  })
})

test('Ollama speaks its own API in lines of JSON, and streams unless told not to', async () => {
  const body = { model, messages, options: { num_predict: 4 } }
  const { text, type } = await ask('ollama', '/api/chat', body)
  expect(type).toBe('application/x-ndjson')
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toHaveLength(5)
  expect(lines[0]).toMatchObject({ model, done: false, message: { role: 'assistant' } })
  expect(lines[4]).toMatchObject({
    done: true,
    done_reason: 'length',
    prompt_eval_count: 6,
    eval_count: 4,
    total_duration: expect.any(Number),
  })
  const said = lines.map((line) => line.message.content).join('')
  expect(await askJson('ollama', '/api/chat', { ...body, stream: false })).toMatchObject({
    message: { content: said },
    done: true,
  })
  expect(
    await askJson('ollama', '/api/generate', { model, prompt: 'Hi.', stream: false }),
  ).toMatchObject({ response: expect.any(String), done: true })
  expect(await askJson('ollama', '/api/chat', { model: 'nope', messages })).toEqual({
    error: 'model "nope" not found, try pulling it first',
  })
  expect(await askJson('ollama', '/api/embed', { model, input: ['a', 'b'] })).toMatchObject({
    embeddings: { length: 2 },
  })
})
