/** TLS between two programs that know each other's certificate by its fingerprint, both ways. */
import type { TLSSocket, TlsOptions } from 'node:tls'
import { type Certificate, plainFingerprint } from '#std/self-signed-certificate.ts'

/** Options of either side: it shows its certificate, and judges the other's by fingerprint later. */
export function peerTlsOptions({ certificate, privateKey }: Certificate) {
  return {
    cert: certificate,
    key: privateKey,
    minVersion: 'TLSv1.3',
    // No authority signed these certificates; the fingerprint is what counts.
    rejectUnauthorized: false,
    requestCert: true,
  } as const satisfies TlsOptions
}

/** The fingerprint of the certificate that the other side proved to own; null when it has none. */
export function peerFingerprint(socket: TLSSocket): string | null {
  // Null once the connection is gone, whatever its type says.
  const shown: { readonly fingerprint256?: string } | null = socket.getPeerCertificate()
  return shown?.fingerprint256 === undefined ? null : plainFingerprint(shown.fingerprint256)
}
