import { expect, test } from 'vitest'
import { chatEngine, contentsOf } from '#embedded/test-chat.ts'

const { ask, askStream, expected, post } = chatEngine()

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
