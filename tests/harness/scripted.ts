/** An engine whose every byte the test decides; it lists its models and is always well. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterTest, question } from './fleet.ts'

export interface Scripted {
  readonly url: string
  /** What was asked so far, newest last. */
  readonly asked: { readonly path: string; readonly body: string }[]
}

export async function scripted(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  models: readonly string[] = [question.model],
): Promise<Scripted> {
  const asked: { path: string; body: string }[] = []
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json')
      const data = models.map((id) => ({ id, object: 'model' }))
      response.end(JSON.stringify({ object: 'list', data }))
      return
    }
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => {
      body += piece
    })
    request.on('end', () => {
      asked.push({ path: request.url ?? '', body })
      answer(response, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A whole chat answer. */
export function answerWith(response: ServerResponse, content = 'fine'): void {
  response.setHeader('content-type', 'application/json')
  response.end(
    JSON.stringify({
      object: 'chat.completion',
      model: question.model,
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
    }),
  )
}
