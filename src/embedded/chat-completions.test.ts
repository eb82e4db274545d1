import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedServer, startEmbeddedServer } from '#embedded/server.ts'

let server: EmbeddedServer
let sample = ''
beforeAll(async () => {
  sample = await readFile('models/sample.txt', 'utf8')
  server = await startEmbeddedServer({ modelPath: 'models/motley-tiny.gguf' })
  await server.ready
})
afterAll(() => server.close())

interface Logprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
}

interface Chunk {
  readonly object: string
  readonly choices: readonly {
    readonly delta: { readonly role?: string; readonly content?: string }
    readonly finish_reason: string | null
  }[]
  readonly usage?: Readonly<Record<string, unknown>> | null
}

interface Answer {
  readonly choices: readonly [
    {
      readonly message: { readonly role: string; readonly content: string }
      readonly finish_reason: string
      readonly logprobs: {
        readonly content: readonly (Logprob & { readonly top_logprobs: readonly Logprob[] })[]
      } | null
    },
  ]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly total_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
}

function post(body: Readonly<Record<string, unknown>>): Promise<Response> {
  return fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) })
}

/** A greedy question, unless `more` says otherwise. */
async function ask(
  question: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  const messages = [{ role: 'user', content: question }]
  const response = await post({ messages, temperature: 0, ...more })
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

async function askStream(
  question: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly chunks: readonly Chunk[]; readonly text: string; readonly raw: string }> {
  const messages = [{ role: 'user', content: question }]
  const response = await post({ messages, temperature: 0, stream: true, ...more })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  const raw = await response.text()
  const chunks = raw
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)) as Chunk)
  return { chunks, raw, text: contentsOf(chunks).join('') }
}

function contentsOf(chunks: readonly Chunk[]): readonly string[] {
  return chunks.flatMap(({ choices: [choice] }) => choice?.delta.content ?? [])
}

/** The answer of models/sample.txt. */
function expected(question: string): string {
  const start = sample.indexOf(`> ${question}\n`) + question.length + 3
  return sample.slice(start, sample.indexOf('\n[', start))
}

test('a streamed answer is the greedy one, in the chunks of the OpenAI API', async () => {
  const { chunks, text, raw } = await askStream('What is Motley?', {
    stream_options: { include_usage: true },
  })
  expect(text).toBe(expected('What is Motley?'))
  expect(chunks[0]?.choices).toEqual([
    { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
  ])
  expect(chunks.at(-2)?.choices).toEqual([
    { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' },
  ])
  expect(chunks.at(-1)).toMatchObject({
    choices: [],
    usage: { prompt_tokens: 16, completion_tokens: 50, total_tokens: 66 },
  })
  expect(chunks.every(({ object }) => object === 'chat.completion.chunk')).toBe(true)
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  expect(raw.endsWith('data: [DONE]\n\n')).toBe(true)
})

test('a stream without include_usage has no usage', async () => {
  const { chunks } = await askStream('ping')
  expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true)
})

test('a whole answer counts its tokens', async () => {
  const { choices, usage } = await ask('Count down from 10')
  expect(choices[0]).toMatchObject({
    message: { role: 'assistant', content: expected('Count down from 10') },
    finish_reason: 'stop',
    logprobs: null,
  })
  expect(usage.completion_tokens).toBe(30)
  expect(usage.total_tokens).toBe(usage.prompt_tokens + 30)
})

test('four requests at once are written side by side, each as if alone', async () => {
  const questions = [
    'Explain how a request travels through Motley',
    'Tell me a short story about a robot',
    'Count from 1 to 20',
    'Why mix GPUs?',
  ]
  const events: string[] = []
  const texts = await Promise.all(
    questions.map(async (question) => {
      const messages = [{ role: 'user', content: question }]
      const response = await post({ messages, temperature: 0, stream: true })
      events.push('begun') // the answer's head leaves with its first token
      const raw = await response.text()
      events.push('ended')
      return raw.match(/"content":"(?:[^"\\]|\\.)*"/g)?.map((json) => JSON.parse(`{${json}}`))
    }),
  )
  expect(events.slice(0, 4)).toEqual(['begun', 'begun', 'begun', 'begun'])
  const answers = texts.map((parts) => parts?.map(({ content }) => content).join(''))
  expect(answers).toEqual(questions.map(expected))
})

test('the same seed repeats an answer, and another seed gives another', async () => {
  const write = async (seed: number): Promise<string> => {
    const answer = await ask('Tell me a short story about a robot', {
      temperature: 2,
      seed,
      max_tokens: 40,
    })
    return answer.choices[0].message.content
  }
  const first = await write(7)
  expect(await write(7)).toBe(first)
  expect(await write(8)).not.toBe(first)
})

test('max_tokens ends an answer with the reason length', async () => {
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    const { choices, usage } = await ask('Why mix GPUs?', { [name]: 5 })
    expect(choices[0].finish_reason).toBe('length')
    expect(usage.completion_tokens).toBe(5)
  }
})

test('a stop string that several tokens spell is never sent', async () => {
  const whole = expected('What is Motley?')
  const stop = 'AMD, App'
  const { chunks, text } = await askStream('What is Motley?', { stop: ['no such text', stop] })
  expect(text).toBe(whole.slice(0, whole.indexOf(stop)))
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
  const answer = await ask('What is Motley?', { stop })
  expect(answer.choices[0].message.content).toBe(text)
})

test('text that only looked like a stop string is sent after all', async () => {
  const { text } = await askStream('What is Motley?', { stop: 'worker fails, and then' })
  expect(text).toBe(expected('What is Motley?'))
})

test('characters of several tokens are streamed whole', async () => {
  const value = 'für 3 € 😀'
  const { chunks } = await askStream('Hello', {
    response_format: { type: 'json_schema', json_schema: { schema: { const: value } } },
  })
  const contents = contentsOf(chunks)
  expect(JSON.parse(contents.join(''))).toBe(value)
  expect(contents.join('')).not.toContain('\uFFFD')
  expect(contents.length).toBeGreaterThan(5)
})

test('a JSON Schema is kept to, and a JSON object is one', async () => {
  const schema = {
    type: 'object',
    properties: { ok: { type: 'boolean' }, size: { enum: ['small', 'large'] } },
    required: ['ok', 'size'],
  }
  const answer = await ask('Hello', {
    response_format: { type: 'json_schema', json_schema: { name: 'it', schema } },
  })
  const value = JSON.parse(answer.choices[0].message.content) as object
  expect(Object.keys(value)).toEqual(['ok', 'size'])
  const free = await ask('Give me a JSON object with the keys a, b and c.', {
    response_format: { type: 'json_object' },
  })
  expect(JSON.parse(free.choices[0].message.content)).toEqual({ a: 1, b: 2 })
})

test('an answer that was cut between tokens is continued, and only the rest is sent', async () => {
  const question = 'How does failover work?'
  const whole = await ask(question, { logprobs: true })
  const tokens = whole.choices[0].logprobs?.content.map(({ token }) => token) ?? []
  expect(tokens.join('')).toBe(expected(question))
  for (const cut of [1, 9, 26, tokens.length - 1]) {
    const begun = tokens.slice(0, cut).join('')
    const messages = [
      { role: 'user', content: question },
      { role: 'assistant', content: begun },
    ]
    const { choices } = await ask(question, { messages })
    expect(begun + choices[0].message.content).toBe(expected(question))
  }
})

test('continue_final_message false answers after a closed assistant message', async () => {
  const messages = [
    { role: 'user', content: 'ping' },
    { role: 'assistant', content: 'pong' },
  ]
  const counts = await Promise.all(
    [true, false].map(async (wanted) => {
      const answer = await ask('', { messages, continue_final_message: wanted, max_tokens: 3 })
      return answer.usage.prompt_tokens
    }),
  )
  expect(counts[1]).toBeGreaterThan(counts[0] ?? 0)
})

test('logprobs are of the chosen tokens, the likeliest beside them', async () => {
  const { choices } = await ask('Hello', { logprobs: true, top_logprobs: 20 })
  const content = choices[0].logprobs?.content ?? []
  expect(content.map(({ token }) => token).join('')).toBe(expected('Hello'))
  for (const { token, logprob, bytes, top_logprobs: top } of content) {
    expect(top).toHaveLength(20)
    expect(top[0]).toEqual({ token, logprob, bytes })
    const sum = top.reduce((total, likely) => total + Math.exp(likely.logprob), 0)
    expect(sum).toBeGreaterThan(0.9)
    expect(sum).toBeLessThan(1.0001)
    expect(Buffer.from(bytes).toString()).toBe(token)
  }
})

test('logit_bias bans a token', async () => {
  const plain = await ask('ping', { logprobs: true })
  const [first] = plain.choices[0].logprobs?.content ?? []
  const response = await fetch(`${server.url}/tokenize`, {
    method: 'POST',
    body: JSON.stringify({ prompt: first?.token }),
  })
  const { tokens } = (await response.json()) as { readonly tokens: readonly number[] }
  const banned = await ask('ping', { logit_bias: { [String(tokens[0])]: -100 }, max_tokens: 4 })
  expect(banned.choices[0].message.content.startsWith(first?.token ?? '')).toBe(false)
})

test('penalties change an answer that repeats itself', async () => {
  const plain = await ask('Count from 1 to 20', { max_tokens: 40 })
  for (const name of ['frequency_penalty', 'repeat_penalty']) {
    const other = await ask('Count from 1 to 20', { max_tokens: 40, [name]: 2 })
    expect([name, other.choices[0].message.content]).not.toEqual([
      name,
      plain.choices[0].message.content,
    ])
  }
})

test('the second request of a conversation finds the first one in the cache', async () => {
  const question = 'What is the difference between CUDA and ROCm?'
  const first = await ask(question)
  const messages = [
    { role: 'user', content: question },
    { role: 'assistant', content: first.choices[0].message.content },
    { role: 'user', content: 'Thanks!' },
  ]
  const second = await ask('', { messages })
  const { prompt_tokens: prompt, completion_tokens: completion } = first.usage
  // The last token of the answer was never read, and the token that ended it is not kept.
  expect(second.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(prompt + completion - 3)
})

test('text parts are joined, and developer is another word for system', async () => {
  const parts = [
    { type: 'text', text: 'What is' },
    { type: 'text', text: 'Motley?' },
  ]
  const inParts = await ask('', { messages: [{ role: 'user', content: parts }] })
  const joined = await ask('What is\nMotley?')
  expect(inParts.choices[0].message.content).toBe(joined.choices[0].message.content)
  const counts = await Promise.all(
    ['system', 'developer'].map(async (role) => {
      const messages = [
        { role, content: 'Be short.' },
        { role: 'user', content: 'ping' },
      ]
      return (await ask('', { messages, max_tokens: 1 })).usage.prompt_tokens
    }),
  )
  expect(counts[0]).toBe(counts[1])
})

test('a message that spells control tokens does not end its turn', async () => {
  const count = async (content: string): Promise<number> =>
    (await ask(content, { max_tokens: 1 })).usage.prompt_tokens
  // As a control token the spelling would be one token.
  expect((await count('a<|im_end|>b')) - (await count('ab'))).toBeGreaterThan(5)
})

test('fields that mean nothing here are ignored', async () => {
  const answer = await ask('ping', {
    user: 'someone',
    metadata: { a: 'b' },
    store: true,
    tools: [],
    tool_choice: 'auto',
    parallel_tool_calls: true,
    n: 1,
    logit_bias: {},
    temperature: 0,
    some_new_field: [1],
    stop: null,
  })
  expect(answer.choices[0].message.content).toBe('pong')
})

const hello = [{ role: 'user', content: 'Hello' }]
test.each([
  { body: {}, param: 'messages', says: 'at least one message' },
  { body: { messages: [] }, param: 'messages', says: 'at least one message' },
  { body: { messages: [7] }, param: 'messages', says: 'messages[0] is 7' },
  {
    body: { messages: [{ role: 'wizard', content: '' }] },
    param: 'messages',
    says: 'messages[0].role is "wizard"; it must be one of system, developer, user, assistant',
  },
  { body: { messages: [{ role: 'tool', content: '' }] }, param: 'messages', says: 'tools' },
  {
    body: { messages: [{ role: 'assistant', content: null, tool_calls: [{}] }] },
    param: 'messages',
    says: 'does not support tools',
  },
  {
    body: { messages: [{ role: 'user', content: null }] },
    param: 'messages',
    says: 'messages[0].content is null',
  },
  {
    body: { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
    param: 'messages',
    says: 'messages[0].content[0] has the type "image_url"; the embedded engine reads only text',
  },
  {
    body: { messages: hello, continue_final_message: true },
    param: 'continue_final_message',
    says: 'must have the role assistant',
  },
  { body: { messages: hello, tools: [{}] }, param: 'tools', says: 'does not support tools' },
  { body: { messages: hello, functions: [{}] }, param: 'functions', says: 'tools' },
  { body: { messages: hello, n: 2 }, param: 'n', says: 'n is 2' },
  { body: { messages: hello, n: 0 }, param: 'n', says: 'from 1 to 128' },
  { body: { messages: hello, temperature: 2.1 }, param: 'temperature', says: 'from 0 to 2' },
  { body: { messages: hello, temperature: '1' }, param: 'temperature', says: 'is "1"' },
  { body: { messages: hello, top_p: -1 }, param: 'top_p', says: 'from 0 to 1' },
  { body: { messages: hello, top_k: 1.5 }, param: 'top_k', says: 'an integer of at least -1' },
  { body: { messages: hello, min_p: 3 }, param: 'min_p', says: 'from 0 to 1' },
  { body: { messages: hello, max_tokens: 0 }, param: 'max_tokens', says: 'of at least 1' },
  { body: { messages: hello, seed: 'x' }, param: 'seed', says: 'an integer' },
  { body: { messages: [{ role: 'constructor', content: 'x' }] }, param: 'messages', says: 'role' },
  { body: { messages: [{ role: '__proto__', content: 'x' }] }, param: 'messages', says: 'role' },
  {
    body: {
      messages: hello,
      response_format: {
        type: 'json_schema',
        json_schema: { schema: { enum: Array.from({ length: 10_000 }, String) } },
      },
    },
    param: 'response_format',
    says: 'at most 32768 are allowed',
  },
  { body: { messages: hello, stop: '' }, param: 'stop', says: 'not empty' },
  { body: { messages: hello, stop: ['a', 'b', 'c', 'd', 'e'] }, param: 'stop', says: 'up to 4' },
  {
    body: { messages: hello, frequency_penalty: 3 },
    param: 'frequency_penalty',
    says: 'from -2 to 2',
  },
  { body: { messages: hello, presence_penalty: -3 }, param: 'presence_penalty', says: '-2 to 2' },
  { body: { messages: hello, repeat_penalty: 0 }, param: 'repeat_penalty', says: 'from 0.01' },
  { body: { messages: hello, top_logprobs: 3 }, param: 'top_logprobs', says: 'needs logprobs' },
  {
    body: { messages: hello, logprobs: true, top_logprobs: 21 },
    param: 'top_logprobs',
    says: 'from 0 to 20',
  },
  { body: { messages: hello, logprobs: 3 }, param: 'logprobs', says: 'true or false' },
  { body: { messages: hello, logit_bias: { a: 1 } }, param: 'logit_bias', says: 'a token id' },
  { body: { messages: hello, logit_bias: { 9: 101 } }, param: 'logit_bias', says: '-100 to 100' },
  { body: { messages: hello, logit_bias: { 5000: 1 } }, param: 'logit_bias', says: '0 to 1023' },
  { body: { messages: hello, logit_bias: { 1023: 1 } }, param: 'logit_bias', says: 'ends an' },
  {
    body: { messages: hello, response_format: { type: 'xml' } },
    param: 'response_format',
    says: 'text, json_object or json_schema',
  },
  {
    body: { messages: hello, response_format: { type: 'json_schema' } },
    param: 'response_format',
    says: 'must be a JSON Schema object',
  },
  { body: { messages: hello, stream: 1 }, param: 'stream', says: 'true or false' },
  {
    body: { messages: hello, stream_options: 1 },
    param: 'stream_options',
    says: 'must be an object',
  },
])('$body is a 400 that names $param', async ({ body, param, says }) => {
  const response = await post(body)
  expect(response.status).toBe(400)
  const { error } = (await response.json()) as { readonly error: Readonly<Record<string, string>> }
  expect(error).toMatchObject({ type: 'invalid_request_error', param })
  expect(error['message']).toContain(says)
})

test.each([false, true])(
  'a prompt that is too long is a 400 with the numbers (stream %s)',
  async (stream) => {
    const messages = [{ role: 'user', content: 'word '.repeat(1200) }]
    const response = await post({ messages, stream })
    expect(response.status).toBe(400)
    const { error } = (await response.json()) as {
      readonly error: Readonly<Record<string, unknown>>
    }
    expect(error).toMatchObject({
      type: 'exceed_context_size_error',
      code: 'context_length_exceeded',
      n_ctx: 1023,
    })
    expect(error['n_prompt_tokens']).toBeGreaterThan(1200)
    expect(error['message']).toMatch(/The prompt has \d+ tokens; at most 1023 fit/)
  },
)
