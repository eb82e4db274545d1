/** Clients that close their sending side: gone, or waiting for their answer? */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The client will send no more. It may have closed only that side, and wait for its answer, or be
 * gone altogether: both look alike until something is sent. So something is: an interim 102
 * answer, which every HTTP/1.1 client must skip, and which a closed socket answers with a reset.
 */
export function onHalfClose(
  socket: Socket,
  response: ServerResponse | null,
  policy: 'keep' | 'cancel',
): void {
  if (response === null || response.writableEnded) {
    socket.end()
    return
  }
  if (policy === 'cancel') {
    socket.destroy()
    return
  }
  // A client that is gone answers the first packet with a reset, and the second finds the socket
  // closed by that. One that waits may still go later, and says nothing more when it does.
  const again = (afterMs: number): void => {
    setTimeout(() => {
      if (socket.destroyed || response.writableEnded) return
      probe(response)
      again(afterMs === probeGapMs ? probePauseMs : probeGapMs)
    }, afterMs).unref()
  }
  probe(response)
  again(probeGapMs)
}

/** Over a round trip on a local network, and far below the 100 ms in which an abort must pass. */
const probeGapMs = 20

/** How soon a client is missed that left after it closed its sending side. */
const probePauseMs = 1_000

/** Bytes that mean nothing to the reader of a streamed answer, by response. */
const fillers = new WeakMap<ServerResponse, string>()

/** Says what may be written between two frames of this answer without changing it. */
export function noteFiller(response: ServerResponse, filler: string): void {
  fillers.set(response, filler)
}

export function fillerOf(response: ServerResponse): string | undefined {
  return fillers.get(response)
}

/** An event stream's filler. */
export const emptyComment = ': \n\n'

function probe(response: ServerResponse): void {
  const filler = fillers.get(response)
  if (!response.headersSent) {
    // Clients of HTTP/1.0 know no interim answers (RFC 9110, 15.2).
    if (response.req.httpVersionMinor > 0) response.writeProcessing()
  } else if (filler !== undefined) {
    response.write(filler)
  }
}
