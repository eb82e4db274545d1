import type { Page } from '#emulator/dialect.ts'
import type { Exchange } from '#emulator/exchange.ts'
import { splitAwkwardly } from '#emulator/faults/split-awkwardly.ts'
import { isStreamFault, type StreamFault } from '#emulator/faults/stream-fault.ts'

/**
 * Sends an answer that is no stream, with the stream faults of this request: they strike after
 * half of the body, whatever number of events they name.
 */
export function sendBody(exchange: Exchange, page: Page): void {
  if (exchange.isOver) return
  const fault = exchange.faults.find(isStreamFault)
  if (fault === undefined) exchange.page(page)
  else sendWithFault(exchange, page, fault)
}

function sendWithFault(exchange: Exchange, page: Page, fault: StreamFault): void {
  const { response, request, machine } = exchange
  const bytes = Buffer.from(page.body)
  const half = bytes.subarray(0, Math.ceil(bytes.length / 2))
  const rest = bytes.subarray(half.length)
  const begin = (framing: Readonly<Record<string, string | number>>): void => {
    response.writeHead(page.status, {
      ...machine.headers,
      'content-type': page.contentType,
      ...framing,
    })
  }
  const whole = { 'content-length': bytes.length }
  switch (fault.kind) {
    case 'cut':
    case 'reset-at': {
      const how = fault.kind === 'cut' ? 'fin' : 'reset'
      begin(whole)
      response.write(half, () => setImmediate(() => exchange.breakOff(how)))
      return
    }
    case 'end-at':
    case 'garbage':
      begin({ 'content-length': half.length })
      response.end(half)
      return
    case 'stall':
      begin(whole)
      response.write(half)
      exchange.later(fault.delayMs, () => response.end(rest))
      return
    case 'bad-chunk':
      begin({ 'transfer-encoding': 'chunked' })
      response.write(half, () =>
        request.socket.write('not-a-chunk-size\r\n', () => exchange.breakOff('fin')),
      )
      return
    case 'mid-error':
      exchange.fail({ kind: 'status', status: 500 })
      return
    case 'split-utf8':
      begin({ 'transfer-encoding': 'chunked' })
      for (const piece of splitAwkwardly(bytes)) response.write(piece)
      response.end()
      return
    case 'no-done':
    case 'pings':
      exchange.page(page)
  }
}
