/** An answer of Anthropic's API that breaks off goes on where an engine goes on with messages. */
import { expect, test } from 'vitest'
import { badAndGood } from './harness/bad-and-good.ts'
import { endpointsOf, fleet, post, question, readEvents } from './harness/fleet.ts'
import { answerStream, scriptedEngine } from './harness/scripted-engine.ts'

const path = '/v1/messages'
const llamaServer = { bad: { engine: 'llama-server' }, good: { engine: 'llama-server' } } as const

/** A message as a client puts it together, holding the stream to the order that the API promises. */
async function streamed(url: string, body: object = {}) {
  const response = await post(`${url}${path}`, { ...question, stream: true, ...body })
  const { events, broken, text } = await readEvents(response)
  const frames = events.map((event) => JSON.parse(event))
  const blocks: { type: string; said: string; isOver: boolean }[] = []
  let starts = 0
  let stopReason: unknown
  let usage: unknown
  for (const { type, index, delta, content_block: block, ...frame } of frames) {
    if (type === 'message_start') starts++
    if (type === 'content_block_start') {
      expect(index).toBe(blocks.length)
      blocks.push({ type: block.type, said: '', isOver: false })
    }
    if (type === 'content_block_delta') {
      expect(blocks[index]?.isOver).toBe(false)
      const said = delta.text ?? delta.thinking ?? delta.partial_json ?? ''
      Object.assign(blocks[index] ?? {}, { said: blocks[index]?.said + said })
    }
    if (type === 'content_block_stop') Object.assign(blocks[index] ?? {}, { isOver: true })
    if (type === 'message_delta') {
      stopReason = delta.stop_reason
      usage = frame.usage
    }
  }
  const error = frames.at(-1)?.error?.message as string | undefined
  return { frames, broken, text, blocks, starts, stopReason, usage, error, response }
}

const lastOf = ({ frames }: { readonly frames: readonly { readonly type: string }[] }) =>
  frames.at(-1)?.type

test.each(['cut:5', 'reset-at:5', 'stall:5:60s', 'cut:0', 'cut:1', 'mid-error:5', 'garbage:5'])(
  'a message whose engine ends with %s in mid-stream goes on elsewhere',
  async (fault) => {
    const { url, second } = await badAndGood([fault], llamaServer)
    const whole = await streamed(second.url)
    const told = await streamed(url)
    expect([told.broken, told.starts, lastOf(told)]).toEqual([false, 1, 'message_stop'])
    expect(told.blocks).toEqual(whole.blocks)
    expect(told.blocks).toMatchObject([{ type: 'text', isOver: true }])
    expect(told.stopReason).toBe('max_tokens')
    expect(told.text.split('event: message_stop')).toHaveLength(2)
  },
)

test.each([
  ['vllm', 'llama-server'],
  ['sglang', 'ollama'],
  ['ollama', 'llama-server'],
] as const)('a message of %s goes on at %s', async (bad, good) => {
  const { url, second, askedOf } = await badAndGood(['cut:7'], {
    bad: { engine: bad },
    good: { engine: good },
  })
  const whole = await streamed(second.url)
  const told = await streamed(url)
  expect([told.broken, told.blocks]).toEqual([false, whole.blocks])
  const { messages, max_tokens: left } = askedOf(path)
  expect(messages.at(-1).role).toBe('assistant')
  expect(whole.blocks[0]?.said.startsWith(messages.at(-1).content[0].text)).toBe(true)
  expect(left).toBe(question.max_tokens - 7)
})

test('its tokens are those of the whole message, for the client and in the log', async () => {
  const { url, second, logged } = await badAndGood(['cut:5'], llamaServer)
  const { usage: whole } = await streamed(second.url)
  const { usage } = await streamed(url)
  const { output_tokens: completionTokens } = whole as { readonly output_tokens: number }
  expect(usage).toMatchObject({ output_tokens: completionTokens })
  const { input_tokens: promptTokens } = whole as { readonly input_tokens: number }
  expect(usage).toMatchObject({ input_tokens: promptTokens })
  expect(await logged()).toMatchObject({ endpoint: 'good', completionTokens, error: null })
})

test('a message that had all its tokens and not its end gets that, and no token more', async () => {
  const { url, second } = await badAndGood([`cut:${question.max_tokens}`], llamaServer)
  const whole = await streamed(second.url)
  const told = await streamed(url)
  expect([told.broken, told.blocks, told.stopReason]).toEqual([false, whole.blocks, 'max_tokens'])
})

test.each([
  ['vllm', 0, undefined],
  ['sglang', 0, undefined],
  ['vllm', 0.7, 'stopped in the middle'],
] as const)(
  'where %s would begin another message behind it, it is said again if nothing is left to chance: %d',
  async (engine, temperature, words) => {
    const { url, second } = await badAndGood(['cut:5'], { bad: { engine }, good: { engine } })
    const whole = await streamed(second.url, { temperature })
    const started = second.stats().started
    const told = await streamed(url, { temperature })
    if (words === undefined) {
      expect([told.broken, told.blocks, told.starts]).toEqual([false, whole.blocks, 1])
      return
    }
    expect([told.broken, lastOf(told)]).toEqual([true, 'error'])
    expect(told.error).toContain(words)
    expect(second.stats().started).toBe(started)
  },
)

test('an engine that refuses what another began says all of it again', async () => {
  const { bad } = llamaServer
  const good = { engine: 'llama-server', faults: ['reject-prefill'] } as const
  const { url, second } = await badAndGood(['cut:5'], { bad, good })
  const whole = await streamed(second.url)
  const told = await streamed(url)
  expect([told.broken, told.blocks]).toEqual([false, whole.blocks])
})

const tool = { name: 'look', input_schema: { type: 'object', properties: { where: {}, when: {} } } }

test.each([
  ['a tool is called', { tools: [tool], tool_choice: { type: 'any' } }],
  [
    'a tool is called though none had to be',
    { tools: [tool], messages: [{ role: 'user', content: 'Now call the tool.' }] },
  ],
  ['a form is asked for', { output_config: { format: { type: 'json_schema', schema: {} } } }],
  [
    'the client began the message itself',
    { messages: [...question.messages, { role: 'assistant', content: 'Well,' }] },
  ],
])('where %s, a message that broke off ends in an error', async (_what, body) => {
  const { url, second } = await badAndGood(['cut:5'], llamaServer)
  const told = await streamed(url, body)
  expect([told.broken, lastOf(told)]).toEqual([true, 'error'])
  expect(second.stats().started).toBe(0)
})

const frame = (type: string, fields: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
const begun = (id: string) =>
  frame('message_start', { message: { id, usage: { input_tokens: 9, output_tokens: 0 } } })
const says = (text: string) =>
  frame('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })
const opened = frame('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
const hello = opened + says('Hello')
const closed = frame('content_block_stop', { index: 0 })
const stopped = frame('message_delta', {
  delta: { stop_reason: 'end_turn', stop_sequence: null },
  usage: { input_tokens: 9, output_tokens: 1 },
})

/** One engine says `first` and breaks its connection; the other says `rest`. */
async function twoEngines(first: string, rest: string) {
  const one = await scriptedEngine(({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(first, () => response.socket?.resetAndDestroy())
  })
  const two = await scriptedEngine(({ response }) => answerStream(response, rest))
  const [a, b] = endpointsOf({ one, two }, { engine: 'llama-server' })
  const made = await fleet({
    endpoints: [{ ...a, weight: 1_000 }, b],
    routing: { strategy: 'least-connections' },
  })
  return { ...made, two }
}

test('a message whose engine said why it stopped is whole, whatever its connection does then', async () => {
  const { url, two } = await twoEngines(begun('one') + hello + closed + stopped, begun('two'))
  const told = await streamed(url)
  expect([told.broken, told.stopReason, lastOf(told)]).toEqual([false, 'end_turn', 'message_stop'])
  expect(two.received).toHaveLength(0)
})

test('a rest without a word ends the block that broke off', async () => {
  const rest = begun('two') + stopped + frame('message_stop')
  const { url } = await twoEngines(begun('one') + hello, rest)
  const told = await streamed(url)
  expect(told.broken).toBe(false)
  expect(told.blocks).toEqual([{ type: 'text', said: 'Hello', isOver: true }])
  expect(told.frames[0].message.id).toBe('one')
})

test.each([
  ['what it was given', ['Hello world'], 'Hello world'],
  ['what it was given, in an event of its own', ['Hello', ' again'], 'Hello again'],
  ['what it was given, which was all', ['Hello'], 'Hello'],
  ['nothing', [' world', 'Hello'], 'Hello worldHello'],
])('an engine that first says again %s is heard from behind it', async (_what, words, said) => {
  const rest = begun('two') + opened + words.map(says).join('') + closed + stopped
  const { url } = await twoEngines(begun('one') + hello, rest + frame('message_stop'))
  const told = await streamed(url)
  expect(told.broken).toBe(false)
  expect(told.blocks).toEqual([{ type: 'text', said, isOver: true }])
})
