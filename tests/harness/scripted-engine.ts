/** An engine whose every byte the test decides; it lists its models and is always well. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterTest } from './after-test.ts'
import { question } from './fleet.ts'

export interface ScriptedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  /** 1 for the first request that is no check. */
  readonly number: number
}

export interface ScriptOptions {
  readonly models?: readonly string[]
  /** False forgets the bytes of bodies as they come, for tests that look at memory. */
  readonly keepsBodies?: boolean
}

export interface ScriptedEngine {
  readonly url: string
  /** Requests received whole, checks left out. */
  readonly received: readonly { readonly path: string; readonly body: Buffer }[]
}

/** Every POST is the test's to answer, once its body is there; every GET lists the models. */
export async function scriptedEngine(
  answer: (asked: ScriptedRequest) => void,
  { models = [question.model], keepsBodies = true }: ScriptOptions = {},
): Promise<ScriptedEngine> {
  const received: { path: string; body: Buffer }[] = []
  const list = JSON.stringify({
    object: 'list',
    data: models.map((id) => ({ id, object: 'model' })),
  })
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json')
      response.end(list)
      return
    }
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => {
      if (keepsBodies) pieces.push(piece)
    })
    request.on('end', () => {
      const body = Buffer.concat(pieces)
      received.push({ path: request.url ?? '', body })
      answer({ request, response, body, number: received.length })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

/** One event of a chat stream that carries a piece of the answer. */
export const chatEvent = (content: string, index = 0): string => eventOf(index, { content }, null)

/** The event that ends a choice of a chat stream. */
export const finishEvent = (index = 0): string => eventOf(index, {}, 'stop')

/** The end marker of OpenAI's streams. */
export const doneEvent = 'data: [DONE]\n\n'

function eventOf(index: number, delta: object, finishReason: string | null): string {
  const choices = [{ index, delta, finish_reason: finishReason }]
  return `data: ${JSON.stringify({ choices })}\n\n`
}

/** Answers with an event stream of exactly these bytes. */
export function answerStream(response: ServerResponse, bytes: string | Buffer): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.end(bytes)
}

/** Answers with a whole JSON body. */
export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

/** The smallest whole chat answer. */
export const wholeChat = {
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hi.' }, finish_reason: 'stop' }],
}

/** Answers with a whole chat answer that says this. */
export function answerChat(response: ServerResponse, content = 'fine'): void {
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }]
  answerJson(response, 200, { ...wholeChat, choices })
}
