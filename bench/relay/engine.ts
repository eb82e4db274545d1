/**
 * The engine of the benchmark: answers fixed bytes as cheaply as Node can, on bare sockets, so that
 * what is measured is the proxy. A body that asks for a stream gets one event each millisecond.
 */
import { createServer } from 'node:net'

const content = 'x'.repeat(700)
const whole = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'bench',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 250, completion_tokens: 175, total_tokens: 425 },
})
const wholeAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${whole.length}\r\n\r\n${whole}`
const models = JSON.stringify({ object: 'list', data: [{ id: 'bench', object: 'model' }] })
const modelsAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${models.length}\r\n\r\n${models}`

const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const frame = (delta: unknown, reason: string | null) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'bench', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
const event = chunk(frame({ content: ' token' }, null))
const last = `${chunk(frame({}, 'stop'))}${chunk('data: [DONE]\n\n')}0\r\n\r\n`

const eventsPerStream = Number(process.argv[2])

createServer((socket) => {
  socket.setNoDelay(true)
  let pending = ''
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    pending += bytes.toString('latin1')
    for (;;) {
      const head = pending.indexOf('\r\n\r\n')
      if (head === -1) return
      const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, head))?.[1] ?? 0)
      if (pending.length < head + 4 + length) return
      const isGet = pending.startsWith('GET')
      const body = pending.slice(head + 4, head + 4 + length)
      pending = pending.slice(head + 4 + length)
      if (isGet) socket.write(modelsAnswer)
      else if (body.includes('"stream":true')) stream()
      else socket.write(wholeAnswer)
    }
  })
  const stream = (): void => {
    socket.write(streamHead)
    let left = eventsPerStream
    const timer = setInterval(() => {
      if (left-- > 0 && !socket.destroyed) socket.write(event)
      else {
        clearInterval(timer)
        if (!socket.destroyed) socket.write(last)
      }
    }, 1)
  }
}).listen(0, '127.0.0.1', function (this: { address(): unknown }) {
  process.stdout.write(`${(this.address() as { port: number }).port}\n`)
})
