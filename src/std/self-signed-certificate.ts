/**
 * Certificates that two programs know each other by: signed by nobody else, recognised by their
 * fingerprint. A name or a date in them decides nothing.
 */
import { createPrivateKey, generateKeyPair, randomBytes, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'

export interface Certificate {
  /** PEM. */
  readonly certificate: string
  /** PEM, PKCS #8. */
  readonly privateKey: string
  /** SHA-256 of the certificate, in lower-case hexadecimal. */
  readonly fingerprint: string
}

/** Longer than machines live: a leaked key is answered by revoking, not by waiting. */
const validYears = 20

export async function makeCertificate(name: string, nowEpochMs: number): Promise<Certificate> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const made = forge.pki.createCertificate()
  made.publicKey = forge.pki.publicKeyFromPem(publicKey)
  // Positive whatever its first bit, and never 0 (RFC 5280, 4.1.2.2).
  made.serialNumber = `01${randomBytes(15).toString('hex')}`
  // Clocks of machines differ; a day is more than they do.
  made.validity.notBefore = new Date(nowEpochMs - 24 * 3_600_000)
  made.validity.notAfter = new Date(nowEpochMs + validYears * 365 * 24 * 3_600_000)
  const subject = [{ name: 'commonName', value: name }]
  made.setSubject(subject)
  made.setIssuer(subject)
  made.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create())
  return readCertificate(forge.pki.certificateToPem(made), privateKey)
}

/** From PEM. Throws when one of them is damaged, or the key is that of another certificate. */
export function readCertificate(certificate: string, privateKey: string): Certificate {
  const read = new X509Certificate(certificate)
  if (!read.checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error('the private key is not that of the certificate')
  }
  return { certificate, privateKey, fingerprint: plainFingerprint(read.fingerprint256) }
}

/** Node writes fingerprints as `AB:CD:…`. */
export function plainFingerprint(text: string): string {
  return text.replaceAll(':', '').toLowerCase()
}
