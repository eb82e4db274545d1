/**
 * Keeps a streaming client's connection alive while nothing comes for it: a queue, a model that
 * loads, a long prefill. Proxies on the way cut connections that are silent for a minute.
 */
import type { Exchange } from '#gateway/exchange.ts'
import { emptyComment, fillerOf, noteFiller } from '#gateway/half-close.ts'

/**
 * Sends `: ping` whenever the client has heard nothing for `pingMs`; 0 sends none. Returns how to
 * stop. The first ping sends the status line, so that a later error is an event of the stream:
 * that is why pings are an option. Events go out whole, so a ping is never inside one.
 */
export function sendPings(exchange: Exchange, pingMs: number): () => void {
  const { asked, response, route } = exchange
  if (pingMs === 0 || asked?.stream !== true || route.api.stream?.framing !== 'sse') return () => {}
  let bytesHeard = 0
  const timer = setInterval(() => {
    if (exchange.bytesOut !== bytesHeard) {
      bytesHeard = exchange.bytesOut
      return
    }
    if (response.destroyed || response.writableEnded || response.writableNeedDrain) return
    if (!response.headersSent) {
      response.writeHead(200, [
        ...['content-type', 'text/event-stream; charset=utf-8'],
        ...['cache-control', 'no-cache', 'x-accel-buffering', 'no'],
        ...['x-request-id', exchange.id],
      ])
      noteFiller(response, emptyComment)
    }
    // An answer that turned out to be no event stream has no place for a ping.
    if (fillerOf(response) === emptyComment) response.write(': ping\n\n')
  }, pingMs)
  return () => clearInterval(timer)
}
