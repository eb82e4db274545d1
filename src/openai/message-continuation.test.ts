import { expect, test } from 'vitest'
import { messageContinuation } from '#openai/message-continuation.ts'
import { spliceBytes } from '#std/splice-bytes.ts'

type Event = Readonly<Record<string, unknown>> & { readonly type: string }

const messages = [{ role: 'user', content: 'Tell me.' }]
const bodyOf = (fields: object = {}) =>
  Buffer.from(JSON.stringify({ max_tokens: 10, messages, ...fields }))

const start: Event = { type: 'message_start', message: { id: 'first', usage: { input_tokens: 7 } } }
const stop: Event = { type: 'message_stop' }
const end = (usage: object): Event => ({
  type: 'message_delta',
  delta: { stop_reason: 'end_turn', stop_sequence: null },
  usage,
})
const begin = (index: number, type: string): Event => ({
  type: 'content_block_start',
  index,
  content_block: type === 'text' || type === 'thinking' ? { type, [type]: '' } : { type },
})
const fill = (index: number, delta: object): Event => ({
  type: 'content_block_delta',
  index,
  delta,
})
const words = (index: number, text: string) => fill(index, { type: 'text_delta', text })
const thoughts = (index: number, thinking: string) =>
  fill(index, { type: 'thinking_delta', thinking })
const close = (index: number): Event => ({ type: 'content_block_stop', index })

/** What a client hears of the events of a rest, after it was told others. */
function retold(told: readonly Event[], rest: readonly Event[]): Event[] {
  const answer = messageContinuation.begin()
  for (const event of told) answer.note(JSON.stringify(event))
  const follower = answer.follow({ said: 3, inPrompt: 2 })
  return rest.flatMap((event) => {
    const data = JSON.stringify(event)
    const frames = follower?.retell(data, messageContinuation.partOf(data)) ?? []
    return frames.map((frame) => {
      const [, type, json = ''] = /^event: (.*)\ndata: (.*)\n\n$/.exec(frame) ?? []
      expect(JSON.parse(json).type).toBe(type)
      return JSON.parse(json)
    })
  })
}

const nothing = { text: '', thoughts: '', isWords: true, isEnd: false }

test.each([
  ['words', words(0, 'a'), { text: 'a' }],
  ['thoughts', thoughts(0, 'a'), { thoughts: 'a' }],
  ['a begun block of words', begin(0, 'text'), {}],
  ['a begun call', begin(0, 'tool_use'), { isWords: false }],
  ['hidden thoughts', begin(0, 'redacted_thinking'), { isWords: false }],
  ['a reason to stop', end({}), { isEnd: true }],
  ['a ping', { type: 'ping' }, {}],
])('an event with %s says what it adds', (_what, event, part) => {
  expect(messageContinuation.partOf(JSON.stringify(event))).toEqual({ ...nothing, ...part })
})

test.each([
  [{}, true],
  [{ tools: [{ name: 'look' }], tool_choice: { type: 'auto' } }, true],
  [{ tool_choice: { type: 'any' } }, false],
  [{ output_config: { format: { type: 'json_schema' } } }, false],
  [{ messages: [...messages, { role: 'assistant', content: 'Well,' }] }, false],
  [{ messages: [] }, false],
])('whether a message with %j can go on elsewhere is %s', (fields, fits) => {
  expect(messageContinuation.fits(bodyOf(fields), [])).toBe(fits)
})

test('the rest is asked for behind what was thought and said, within what is left of the limit', () => {
  const body = bodyOf()
  const asked = (said: { text: string; thoughts: string }, thoughtsAs: string[] | null) => {
    const how = { fields: {}, thoughtsAs }
    const splices = messageContinuation.askForRest(body, { ...said, tokens: 3 }, how)
    const inOrder = splices.toSorted((one, other) => one.start - other.start)
    return JSON.parse(String(spliceBytes(body, inOrder)))
  }
  const text = 'Once'
  const thinking = { type: 'thinking', thinking: 'Hm', signature: '' }
  const said = { type: 'text', text }
  const messageOf = (content: object[]) => ({
    max_tokens: 7,
    messages: [...messages, { role: 'assistant', content }],
  })
  expect(asked({ text, thoughts: '' }, null)).toEqual(messageOf([said]))
  expect(asked({ text, thoughts: 'Hm' }, null)).toEqual(messageOf([said]))
  expect(asked({ text, thoughts: 'Hm' }, ['any'])).toEqual(messageOf([thinking, said]))
  expect(asked({ text: '', thoughts: 'Hm' }, ['any'])).toEqual(messageOf([thinking]))
})

const ended = end({ input_tokens: 12, output_tokens: 5 })
const endedForBoth = end({ input_tokens: 7, output_tokens: 8 })

test('the words of the rest go on in the block that broke off, and the tokens are those of both', () => {
  const told = [start, begin(0, 'thinking'), thoughts(0, 'Hm'), close(0)]
  const rest = [start, begin(0, 'text'), words(0, 'upon'), close(0), ended, stop]
  expect(retold([...told, begin(1, 'text'), words(1, 'Once ')], rest)).toEqual([
    ...[words(1, 'upon'), close(1), endedForBoth, stop],
  ])
})

test.each([
  [{ input_tokens: 9, output_tokens: 0 }, { input_tokens: 9 }],
  [
    { input_tokens: 0, cache_read_input_tokens: 9 },
    { input_tokens: 0, cache_read_input_tokens: 9 },
  ],
  [{ input_tokens: 0 }, { input_tokens: 10, cache_read_input_tokens: 4 }],
  [undefined, { input_tokens: 10, cache_read_input_tokens: 4 }],
])('a message that began with %j ends with the same prompt', (usage, prompt) => {
  const begun = { type: 'message_start', message: usage === undefined ? {} : { usage } }
  const told = [begun, begin(0, 'text'), words(0, 'Once'), close(0)]
  const restUsage = { input_tokens: 12, cache_read_input_tokens: 4, output_tokens: 5 }
  const [delta] = retold(told, [start, end(restUsage)])
  expect(delta?.['usage']).toMatchObject({ ...prompt, output_tokens: 8 })
})

test('a block that broke off is ended where the rest says nothing more', () => {
  const told = [start, begin(0, 'text'), words(0, 'Once')]
  expect(retold(told, [start, ended, stop])).toEqual([close(0), endedForBoth, stop])
  const empty = [begin(0, 'text'), words(0, ''), close(0)]
  expect(retold(told, [start, ...empty, ended, stop])).toEqual([close(0), endedForBoth, stop])
})

test('thoughts go on in their block, and words behind them get the next number', () => {
  const told = [start, begin(0, 'thinking'), thoughts(0, 'Hm')]
  const signed = fill(0, { type: 'signature_delta', signature: 'x' })
  const thought = [begin(0, 'thinking'), thoughts(0, 'ah'), signed, close(0)]
  const said = [begin(1, 'text'), words(1, 'Once'), close(1)]
  expect(retold(told, [start, ...thought, ...said, stop])).toEqual([
    ...[thoughts(0, 'ah'), signed, close(0), ...said, stop],
  ])
  const closed = [...told, close(0)]
  expect(retold(closed, [start, begin(0, 'text'), words(0, 'Once'), close(0), stop])).toEqual([
    ...[...said, stop],
  ])
})

test('a call behind the words gets the next number, whatever was open is ended before it', () => {
  const told = [start, begin(0, 'thinking'), thoughts(0, 'Hm'), begin(1, 'text'), words(1, 'I ')]
  const argument = fill(1, { type: 'input_json_delta', partial_json: '{}' })
  const rest = [words(0, 'look'), close(0), begin(1, 'tool_use'), argument, close(1)]
  expect(retold(told, [start, begin(0, 'text'), ...rest])).toEqual([
    ...[words(1, 'look'), close(1), close(0)],
    ...[begin(2, 'tool_use'), { ...argument, index: 2 }, close(2)],
  ])
})

test('nothing of blocks whose words were left out is told', () => {
  const told = [start, begin(0, 'text'), words(0, 'Once')]
  const signed = fill(0, { type: 'signature_delta', signature: 'x' })
  const rest = [signed, close(0), words(1, ' upon'), close(1)]
  expect(retold(told, rest)).toEqual([words(0, ' upon'), close(0)])
})

test('where no message had begun, nothing follows it', () => {
  const answer = messageContinuation.begin()
  answer.note(JSON.stringify({ type: 'ping' }))
  expect(answer.follow({ said: 0, inPrompt: 0 })).toBe(null)
})
