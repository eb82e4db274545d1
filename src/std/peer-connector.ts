/** Connects undici to a program that is known by the fingerprint of its certificate. */
import type { TLSSocket } from 'node:tls'
import { buildConnector } from 'undici'
import { peerFingerprint, peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface Peer {
  readonly own: Certificate
  readonly fingerprint: string
}

/** Without a peer it connects as undici does. `timeoutMs` is for connecting. */
export function peerConnector(peer: Peer | undefined, timeoutMs: number): buildConnector.connector {
  if (peer === undefined) return buildConnector({ timeout: timeoutMs })
  const connect = buildConnector({
    ...peerTlsOptions(peer.own),
    timeout: timeoutMs,
    // A resumed session would not show the certificate again.
    maxCachedSessions: 0,
    checkServerIdentity: () => undefined,
  })
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
      } else if (peerFingerprint(socket as TLSSocket) === peer.fingerprint) {
        callback(null, socket)
      } else {
        socket.destroy()
        const wrong = new Error('its certificate is not the one it joined with')
        callback(Object.assign(wrong, { code: 'ERR_TLS_CERT_FINGERPRINT' }), null)
      }
    })
}
