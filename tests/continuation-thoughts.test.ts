/**
 * Answers of models that think first: what breaks off in their words goes on behind the thoughts,
 * and what breaks off in its thoughts goes on thinking where an engine can, or begins anew.
 */
import { expect, test } from 'vitest'
import { badAndGood } from './harness/bad-and-good.ts'
import { chat, contentOf, endpointsOf, fleet, post, question, readEvents } from './harness/fleet.ts'
import {
  answerStream,
  chatEvent,
  doneEvent,
  finishEvent,
  scriptedEngine,
} from './harness/scripted-engine.ts'

const model = 'reasoner'
const models = [model]
const thinks = { model, max_tokens: 30 }
/** Of those tokens, the emulated model thinks the first. */
const thoughtTokens = 10

async function streamed(url: string, body: object = {}) {
  const { events, broken, text } = await readEvents(
    await chat(url, { stream: true, ...thinks, ...body }),
  )
  const frames = events.filter((event) => event !== '[DONE]').map((event) => JSON.parse(event))
  const thoughts = frames.flatMap(({ choices }) => {
    const { reasoning, reasoning_content: older } = choices?.[0]?.delta ?? {}
    return reasoning ?? older ?? []
  })
  const error = frames.at(-1)?.error?.code as string | undefined
  return { events, broken, text, frames, thoughts, said: contentOf(events), error }
}

const inWords = `cut:${thoughtTokens + 4}`
const inThoughts = 'cut:3'

test.each([
  ['vllm', 'llama-server'],
  ['llama-server', 'vllm'],
  ['vllm', 'ollama'],
  ['vllm', 'sglang'],
] as const)('words of %s that broke off behind thoughts go on at %s', async (bad, good) => {
  const { url, second, askedOf } = await badAndGood([inWords], {
    bad: { engine: bad, models },
    good: { engine: good, models },
  })
  const whole = await streamed(second.url, { temperature: 0.7 })
  expect(whole.thoughts).toHaveLength(thoughtTokens)
  const told = await streamed(url, { temperature: 0.7 })
  expect([told.broken, told.said, told.thoughts]).toEqual([false, whole.said, whole.thoughts])
  const { messages, max_tokens: left } = askedOf('/v1/chat/completions')
  expect(whole.said.startsWith(messages.at(-1).content)).toBe(true)
  expect(left).toBe(thinks.max_tokens - thoughtTokens - 4)
})

test('an engine whose template drops thoughts is told not to think anew', async () => {
  const { url, askedOf } = await badAndGood([inWords], {
    bad: { models },
    good: { engine: 'sglang', models },
  })
  const wanted = { chat_template_kwargs: { style: 'dry' } }
  expect((await streamed(url, wanted)).broken).toBe(false)
  const { messages, chat_template_kwargs: told } = askedOf('/v1/chat/completions')
  expect(told).toMatchObject({ style: 'dry', enable_thinking: false })
  expect(Object.keys(messages.at(-1))).toEqual(['role', 'content'])
})

test('thoughts that broke off go on where the engine can', async () => {
  const asks = { stream_options: { include_usage: true } }
  const { url, second, askedOf, logged } = await badAndGood([inThoughts], {
    bad: { models },
    good: { engine: 'llama-server', models },
  })
  const whole = await streamed(second.url, asks)
  const told = await streamed(url, asks)
  expect([told.broken, told.said]).toEqual([false, whole.said])
  expect(told.thoughts).toEqual(whole.thoughts)
  expect(askedOf('/v1/chat/completions').messages.at(-1)).toEqual({
    ...{ role: 'assistant', content: '' },
    reasoning_content: whole.thoughts.slice(0, 3).join(''),
  })
  expect(told.frames.at(-1).usage.completion_tokens).toBe(thinks.max_tokens)
  expect(await logged()).toMatchObject({ completionTokens: thinks.max_tokens })
})

test.each(['vllm', 'sglang', 'ollama', 'openai'] as const)(
  'thoughts that broke off begin anew at %s, as long as nothing was said',
  async (good) => {
    const asks = { stream_options: { include_usage: true }, temperature: 0.7 }
    const { url, second, askedOf, logged } = await badAndGood([inThoughts], {
      bad: { models },
      good: { engine: good, models },
    })
    const whole = await streamed(second.url, asks)
    const told = await streamed(url, asks)
    expect([told.broken, told.said, told.events.at(-1)]).toEqual([false, whole.said, '[DONE]'])
    expect(told.thoughts).toEqual([...whole.thoughts.slice(0, 3), ...whole.thoughts])
    expect(new Set(told.frames.map(({ id }) => id)).size).toBe(1)
    const { messages, max_tokens: limit } = askedOf('/v1/chat/completions')
    expect([messages, limit]).toEqual([question.messages, thinks.max_tokens])
    // What was thought in vain is nobody's answer.
    expect(told.frames.at(-1).usage).toEqual(whole.frames.at(-1).usage)
    expect(await logged()).toMatchObject({ completionTokens: thinks.max_tokens })
  },
)

test('an engine that refuses to go on with thoughts begins anew', async () => {
  const good = { engine: 'llama-server', models, faults: ['reject-prefill'] } as const
  const { url, second } = await badAndGood([inThoughts], { bad: { models }, good })
  const whole = await streamed(second.url)
  const told = await streamed(url)
  expect([told.broken, told.said]).toEqual([false, whole.said])
})

test('words that are said again follow thoughts that the client has read already', async () => {
  const { url, second } = await badAndGood([inWords], {
    bad: { models },
    good: { engine: 'openai', models },
  })
  const whole = await streamed(second.url, { temperature: 0 })
  const told = await streamed(url, { temperature: 0 })
  expect([told.broken, told.said, told.thoughts]).toEqual([false, whole.said, whole.thoughts])
})

const thinksOf = (thoughts: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { reasoning: thoughts } }] })}\n\n`

/** One engine says `first` and breaks its connection; the other says `rest`. */
async function twoEngines(engine: string, first: string, rest: string) {
  const bad = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(first, () => response.destroy())
  })
  const good = await scriptedEngine(({ response }) => answerStream(response, rest))
  const [one, two] = endpointsOf({ bad, good }, { engine })
  const made = await fleet({
    endpoints: [{ ...one, weight: 100 }, two],
    routing: { strategy: 'least-connections' },
  })
  return { ...made, good }
}

test('an engine that thinks anew behind the words is not heard', async () => {
  const anew = thinksOf('Well.') + chatEvent('Twice')
  const { url, good } = await twoEngines('vllm', thinksOf('Hm.') + chatEvent('Once'), anew)
  const told = await streamed(url, { model: question.model })
  expect([told.broken, told.error]).toEqual([true, 'stream_interrupted'])
  expect([told.thoughts, contentOf(told.events.slice(0, -1))]).toEqual([['Hm.'], 'Once'])
  expect(good.received).toHaveLength(1)
})

test('thoughts that took all tokens get their end, and no thought more', async () => {
  const rest = thinksOf(' more') + finishEvent() + doneEvent
  const { url } = await twoEngines('llama-server', thinksOf('Hm') + thinksOf(' hm'), rest)
  const told = await streamed(url, { model: question.model, max_tokens: 2 })
  expect([told.broken, told.thoughts]).toEqual([false, ['Hm', ' hm']])
  expect(told.frames.at(-1).choices[0].finish_reason).toBe('stop')
})

/** What the blocks of a message say, by number. */
async function messageBlocks(url: string) {
  const body = { ...question, ...thinks, stream: true }
  const { events, broken } = await readEvents(await post(`${url}/v1/messages`, body))
  const blocks: { type: string; said: string; ends: number }[] = []
  for (const event of events) {
    const { type, index, delta, content_block: begun } = JSON.parse(event)
    const block = blocks[index]
    if (type === 'content_block_start') blocks[index] = { type: begun.type, said: '', ends: 0 }
    if (type === 'content_block_delta' && block !== undefined) {
      block.said += delta.thinking ?? delta.text
    }
    if (type === 'content_block_stop' && block !== undefined) block.ends++
  }
  return { broken, blocks }
}

test.each([
  ['in its words', inWords, 'llama-server'],
  ['in its words', inWords, 'ollama'],
  ['in its thoughts', inThoughts, 'llama-server'],
] as const)(
  'a message that broke off %s (%s) goes on at %s, block by block',
  async (_in, fault, good) => {
    const { url, second } = await badAndGood([fault], {
      bad: { models },
      good: { engine: good, models },
    })
    const whole = await messageBlocks(second.url)
    expect(whole.blocks.map(({ type, ends }) => [type, ends])).toEqual([
      ['thinking', 1],
      ['text', 1],
    ])
    expect(await messageBlocks(url)).toEqual(whole)
  },
)

test('a message that broke off in its thoughts begins anew where the engine cannot go on', async () => {
  const { url, second } = await badAndGood([inThoughts], { bad: { models }, good: { models } })
  const { blocks } = await messageBlocks(second.url)
  const told = await messageBlocks(url)
  expect(told.broken).toBe(false)
  const [thought, text] = told.blocks
  expect([thought?.type, thought?.ends, text]).toEqual(['thinking', 1, blocks[1]])
  expect(thought?.said.endsWith(blocks[0]?.said ?? '?')).toBe(true)
})
