import { expect, test } from 'vitest'
import { chatEngine } from '#embedded/test-chat.ts'

const { ask, askStream, expected, postTo } = chatEngine()

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
  const response = await postTo('/tokenize', { prompt: first?.token })
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
