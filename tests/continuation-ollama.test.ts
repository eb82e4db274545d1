/** A chat of Ollama's own API that breaks off goes on at another Ollama. */
import { expect, test } from 'vitest'
import { badAndGood } from './harness/bad-and-good.ts'
import { post, question } from './harness/fleet.ts'

const ollama = { bad: { engine: 'ollama' }, good: { engine: 'ollama' } } as const
const asks = { messages: question.messages, options: { num_predict: 20 } }

async function streamed(url: string, body: object = {}) {
  const response = await post(`${url}/api/chat`, { model: question.model, ...asks, ...body })
  let text = ''
  let broken = false
  try {
    for await (const bytes of response.body ?? []) text += Buffer.from(bytes).toString('utf8')
  } catch {
    broken = true
  }
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  const joined = (part: 'content' | 'thinking') =>
    lines.map(({ message }) => message?.[part] ?? '').join('')
  return { broken, lines, said: joined('content'), thoughts: joined('thinking'), end: lines.at(-1) }
}

test.each(['cut:5', 'reset-at:5', 'stall:5:60s', 'cut:0', 'garbage:5', 'mid-error:5'])(
  'a chat whose engine ends with %s in mid-stream goes on elsewhere',
  async (fault) => {
    const { url, second } = await badAndGood([fault], ollama)
    const whole = await streamed(second.url)
    const told = await streamed(url)
    expect([told.broken, told.said]).toEqual([false, whole.said])
    expect(told.lines.filter(({ done }) => done)).toHaveLength(1)
    expect(told.end).toMatchObject({ done: true, done_reason: 'length', eval_count: 20 })
  },
)

test('the rest is asked for within what is left of the options', async () => {
  const { url, askedOf } = await badAndGood(['cut:7'], ollama)
  await streamed(url, { options: { num_predict: 20, top_k: 3 } })
  const { messages, options } = askedOf('/api/chat')
  expect(messages.at(-1).role).toBe('assistant')
  expect(options).toEqual({ num_predict: 13, top_k: 3 })
})

test.each(['cut:3', 'cut:9'])('a chat of a model that thinks is whole after %s', async (fault) => {
  const models = ['reasoner']
  const { url, second } = await badAndGood([fault], {
    bad: { engine: 'ollama', models },
    good: { engine: 'ollama', models },
  })
  const whole = await streamed(second.url, { model: 'reasoner' })
  const told = await streamed(url, { model: 'reasoner' })
  expect(whole.thoughts).not.toBe('')
  expect([told.broken, told.said]).toEqual([false, whole.said])
  expect(told.thoughts.endsWith(whole.thoughts)).toBe(true)
})

test.each([
  ['a form is asked for', { format: 'json' }],
  [
    'the client began the answer itself',
    { messages: [...asks.messages, { role: 'assistant', content: 'Well,' }] },
  ],
])('where %s, a chat that broke off ends in an error', async (_what, body) => {
  const { url, second } = await badAndGood(['cut:5'], ollama)
  const told = await streamed(url, body)
  expect([told.broken, told.end.error]).toEqual([true, expect.stringContaining('in the middle')])
  expect(second.stats().started).toBe(0)
})
