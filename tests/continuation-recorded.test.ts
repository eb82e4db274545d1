/**
 * What a real engine answered when it was asked to go on, captured from it: the gateway asks just so,
 * and the client hears what follows, once.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { endpointsOf, fleet, post, readEvents } from './harness/fleet.ts'
import { packageFile } from './harness/package-file.ts'
import { answerStream, scriptedEngine } from './harness/scripted-engine.ts'

const folder = packageFile('fixtures/engines/llama-server/goes-on')
const model = 'motley-tiny'

interface Words {
  readonly thoughts: string
  readonly text: string
}

/** What the last message of a recorded request holds. */
function begunIn(message: Readonly<Record<string, unknown>>): Words {
  const { content, reasoning_content: thoughts = '' } = message
  if (typeof content === 'string') return { text: content, thoughts: String(thoughts) }
  const blocks = content as { text?: string; thinking?: string }[]
  const joined = (part: 'text' | 'thinking') => blocks.map((block) => block[part] ?? '').join('')
  return { text: joined('text'), thoughts: joined('thinking') }
}

const chatFrame = (delta: object) =>
  `data: ${JSON.stringify({ id: 'one', created: 1, model, choices: [{ index: 0, delta }] })}\n\n`
const frame = (type: string, fields: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

/** How an engine says these words, each in one event, before it breaks off. */
function saying({ thoughts, text }: Words, path: string): string {
  if (path === '/v1/chat/completions') {
    return (
      (thoughts === '' ? '' : chatFrame({ reasoning_content: thoughts })) +
      (text === '' ? '' : chatFrame({ content: text }))
    )
  }
  const blocks = [
    { type: 'thinking', said: thoughts, delta: { type: 'thinking_delta', thinking: thoughts } },
    { type: 'text', said: text, delta: { type: 'text_delta', text } },
  ].filter(({ said }) => said !== '')
  return (
    frame('message_start', { message: { id: 'one', usage: { input_tokens: 1 } } }) +
    blocks
      .map(
        ({ type, delta }, index) =>
          frame('content_block_start', { index, content_block: { type } }) +
          frame('content_block_delta', { index, delta }),
      )
      .join('')
  )
}

/** All words of a stream, whichever API it is of. */
function wordsIn(events: readonly string[]): Words {
  const deltas = events
    .filter((event) => event !== '[DONE]')
    .map((event) => JSON.parse(event))
    .map(({ choices, delta }) => choices?.[0]?.delta ?? delta ?? {})
  const joined = (...names: string[]) =>
    deltas.map((delta) => names.map((name) => delta[name] ?? '').join('')).join('')
  return { thoughts: joined('reasoning_content', 'thinking'), text: joined('content', 'text') }
}

/** What comes behind `start`, where it stands there again. */
const after = (start: string, words: string) =>
  words.startsWith(start) ? words.slice(start.length) : words

test.each(readdirSync(folder))('an answer goes on as recorded in %s', async (file) => {
  const recorded = JSON.parse(readFileSync(`${folder}/${file}`, 'utf8'))
  const { path, body: asked } = recorded.request
  const begun = begunIn(asked.messages.at(-1))
  const first = await scriptedEngine(
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(saying(begun, path), () => response.destroy())
    },
    { models: [model] },
  )
  const second = await scriptedEngine(({ response }) => answerStream(response, recorded.body), {
    models: [model],
  })
  const [one, two] = endpointsOf({ first, second }, { engine: 'llama-server' })
  const { url } = await fleet({
    endpoints: [{ ...one, weight: 100 }, two],
    routing: { strategy: 'least-connections' },
  })
  const { continue_final_message: _, add_generation_prompt: __, ...wanted } = asked
  const events = Object.values(begun).filter((words) => words !== '').length
  const body = {
    ...wanted,
    messages: asked.messages.slice(0, -1),
    max_tokens: asked.max_tokens + events,
  }
  const told = await readEvents(await post(`${url}${path}`, body))
  expect(told.broken).toBe(false)
  expect(JSON.parse(String(second.received[0]?.body))).toEqual(asked)
  const heard = wordsIn(told.events)
  const answered = wordsIn(recorded.body.match(/(?<=^data: ).*/gm))
  const { text, thoughts } = begun
  expect(heard.text).toBe(text + after(text, answered.text))
  // Behind words, all thoughts of the recording are those that it was given.
  expect(heard.thoughts).toBe(thoughts + (text === '' ? after(thoughts, answered.thoughts) : ''))
  expect(heard).not.toEqual(begun)
})
