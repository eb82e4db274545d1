/** gateway-checklist.md, lines 17 and 18: what the access log says of the tokens of a stream. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { accessLogFile } from './harness/access-log.ts'
import { chat, endpointsOf, engine, fleet, post, question, readEvents } from './harness/fleet.ts'
import { rawChat } from './harness/raw-http.ts'
import {
  answerStream,
  chatEvent,
  doneEvent,
  finishEvent,
  scriptedEngine,
} from './harness/scripted-engine.ts'
import { untilTrue } from './harness/until-true.ts'

const eventOf = (data: object): string => `data: ${JSON.stringify(data)}\n\n`
const roleEvent = eventOf({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] })
const words = (count: number): string => chatEvent('word ').repeat(count)

/** A gateway in front of one engine, and the first line of its access log once it is closed. */
async function logged(url: string) {
  const accessLog = accessLogFile()
  const retries = { continueAnswers: false }
  const made = await fleet({
    gateway: { accessLog: accessLog.path, retries },
    endpoints: endpointsOf({ one: { url } }),
  })
  const line = async () => {
    await made.gateway.close()
    return accessLog.first()
  }
  return { ...made, line }
}

async function lineOf(answer: (response: ServerResponse) => void, path = '/v1/chat/completions') {
  const one = await scriptedEngine(({ response }) => answer(response))
  const { url, line } = await logged(one.url)
  await readEvents(await post(url + path, { ...question, stream: true }))
  return line()
}

test('an answer that its engine cut is counted as far as it went, and marked as counted', async () => {
  const one = await engine({ faults: ['reset-at:7'] })
  const { url, line } = await logged(one.url)
  await readEvents(await chat(url, { stream: true }))
  const metrics = await (await fetch(`${url}/metrics`)).text()
  expect(metrics).toMatch(/motley_tokens_total\{model="llama-3.1-8b",direction="completion"\} 7/)
  expect(await line()).toMatchObject({
    ...{ error: 'stream_interrupted', completionTokens: 7, tokensCounted: true },
    promptTokens: expect.toSatisfy((tokens: number) => tokens > 0),
  })
})

test('an answer that its client left is counted as far as it went', async () => {
  const one = await engine({ faults: ['stall:3:60s'] })
  const { url, gateway, line } = await logged(one.url)
  const socket = await rawChat(url, { stream: true })
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk
  })
  await untilTrue('three pieces came', () => received.split('"content"').length > 4)
  socket.destroy()
  await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0)
  expect(await line()).toMatchObject({ status: 499, completionTokens: 3, tokensCounted: true })
})

test('a whole answer without a usage is counted by its events with content, and no others', async () => {
  const text = roleEvent + words(30) + finishEvent() + doneEvent
  expect(await lineOf((response) => answerStream(response, text))).toMatchObject({
    ...{ events: 33, completionTokens: 30, tokensCounted: true, error: null },
  })
  const short = roleEvent + words(1) + finishEvent() + doneEvent
  expect(await lineOf((response) => answerStream(response, short))).toMatchObject({
    ...{ events: 4, completionTokens: 1, tokensCounted: true },
  })
})

test('a usage in the first event of a stream is read there', async () => {
  const usage = { prompt_tokens: 90, completion_tokens: 0 }
  const first = eventOf({ choices: [{ index: 0, delta: { role: 'assistant' } }], usage })
  const text = first + words(30) + finishEvent() + doneEvent
  expect(await lineOf((response) => answerStream(response, text))).toMatchObject({
    ...{ promptTokens: 90, completionTokens: 30, tokensCounted: true },
  })
})

test("Anthropic's stream tells the prompt where it begins and the answer where it ends", async () => {
  const message = { usage: { input_tokens: 90, output_tokens: 1 } }
  const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } }
  const begin =
    eventOf({ type: 'message_start', message }) +
    eventOf({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }) +
    eventOf(delta).repeat(20)
  const end =
    eventOf({ type: 'content_block_stop', index: 0 }) +
    eventOf({ type: 'message_delta', delta: {}, usage: { output_tokens: 25 } }) +
    eventOf({ type: 'message_stop' })
  const path = '/v1/messages'
  expect(await lineOf((response) => answerStream(response, begin + end), path)).toMatchObject({
    ...{ promptTokens: 90, completionTokens: 25, tokensCounted: false },
  })
  const cut = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(begin, () => response.destroy())
  }
  expect(await lineOf(cut, path)).toMatchObject({
    ...{ promptTokens: 90, completionTokens: 20, tokensCounted: true },
  })
})
