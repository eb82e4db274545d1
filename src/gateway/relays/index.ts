import type { IncomingHttpHeaders } from 'node:http'
import type { AnswerRelay, RelayOptions } from '#gateway/relay.ts'
import { StreamRelay } from '#gateway/relays/stream-relay.ts'
import { WholeRelay } from '#gateway/relays/whole-relay.ts'

/** The relay for an answer that begins like this. */
export function relayFor(
  options: RelayOptions,
  status: number,
  headers: IncomingHttpHeaders,
): AnswerRelay {
  const type = headers['content-type'] ?? ''
  const { asked, route } = options.exchange
  const { stream } = route.api
  const framed =
    stream !== null &&
    headers['content-encoding'] === undefined &&
    (stream.framing === 'sse'
      ? type.startsWith('text/event-stream')
      : type.startsWith('application/x-ndjson') && asked?.stream === true)
  return framed
    ? new StreamRelay(options, status, headers, stream)
    : new WholeRelay(options, status, headers)
}
