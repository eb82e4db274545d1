import type { Exchange } from '#emulator/exchange.ts'

/**
 * Faults that decide the answer before the engine would look at the request. Returns whether one
 * of them took the request over; the first of the script wins.
 */
export function answerWithFault(exchange: Exchange): boolean {
  for (const fault of exchange.faults) {
    switch (fault.kind) {
      case 'reset':
        exchange.breakOff('reset')
        return true
      case 'reset-after-headers':
        resetAfterHeaders(exchange)
        return true
      case 'hang':
        return true
      case 'status':
        exchange.fail({ kind: 'status', status: fault.status })
        return true
      case 'lying-health':
        exchange.fail({ kind: 'status', status: 500 })
        return true
      case 'loading':
        sayLoading(exchange)
        return true
      case '429':
        exchange.fail(
          { kind: 'rate-limited' },
          { 'retry-after': retryAfter(fault.retryAfterMs, fault.form) },
        )
        return true
      case 'context-length': {
        const { contextTokens } = exchange.machine.settings
        exchange.fail({
          kind: 'context-length',
          promptTokens: contextTokens + 1,
          outputTokens: 0,
          contextTokens,
        })
        return true
      }
      case 'content-filter':
        exchange.fail({ kind: 'content-filter' })
        return true
      case 'reject-prefill':
        exchange.refuse('The last message must not be from the assistant.', 'messages')
        return true
      default:
        break
    }
  }
  return false
}

function sayLoading(exchange: Exchange): void {
  const { whileLoading } = exchange.machine.dialect
  if (whileLoading === null || whileLoading === 'refuses') exchange.fail({ kind: 'loading' })
  else exchange.page(whileLoading)
}

/** Whole seconds, rounded up: a client that waits as told must not come too early. */
function retryAfter(afterMs: number, form: 'seconds' | 'date'): string {
  const seconds = Math.ceil(afterMs / 1000)
  if (form === 'seconds') return String(seconds)
  return new Date(Date.now() + seconds * 1000).toUTCString()
}

function resetAfterHeaders(exchange: Exchange): void {
  const { response, machine } = exchange
  response.writeHead(200, { ...machine.headers, 'content-type': 'text/event-stream' })
  response.flushHeaders()
  // The headers leave in this turn of the loop; a reset in the same turn would take them back.
  setImmediate(() => exchange.breakOff('reset'))
}
