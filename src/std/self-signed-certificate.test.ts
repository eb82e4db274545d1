import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { peerFingerprint, peerTlsOptions } from '#std/peer-tls.ts'
import { makeCertificate, readCertificate } from '#std/self-signed-certificate.ts'

const yearMs = 365 * 24 * 3_600_000

const [one, other] = await Promise.all([
  makeCertificate('one', Date.now()),
  makeCertificate('other', Date.now()),
])

test('it is what OpenSSL reads: signed by itself, positive serial, valid from yesterday for long', () => {
  const read = new X509Certificate(one.certificate)
  expect(read.verify(read.publicKey)).toBe(true)
  expect([read.subject, read.issuer]).toEqual(['CN=one', 'CN=one'])
  expect(read.serialNumber).toMatch(/^01[0-9A-F]{30}$/)
  expect(read.validFromDate.getTime()).toBeLessThan(Date.now() - yearMs / 366)
  expect(read.validToDate.getTime()).toBeGreaterThan(Date.now() + 19 * yearMs)
  expect(one.fingerprint).toMatch(/^[0-9a-f]{64}$/)
  expect(one.fingerprint).not.toBe(other.fingerprint)
})

test('what was written is read; damage, and the key of another, are not', () => {
  expect(readCertificate(one.certificate, one.privateKey)).toEqual(one)
  expect(() => readCertificate(one.certificate, other.privateKey)).toThrow(/not that of the certif/)
  expect(() => readCertificate(one.certificate.slice(0, 300), one.privateKey)).toThrow()
  expect(() => readCertificate(one.certificate, 'key')).toThrow()
})

async function fingerprintsSeen(server: typeof one, client: typeof one | null) {
  const seen = Promise.withResolvers<string | null>()
  const listener = createServer(peerTlsOptions(server), (socket) => {
    seen.resolve(peerFingerprint(socket))
    socket.on('error', () => {})
    socket.end()
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const options = client === null ? { rejectUnauthorized: false } : peerTlsOptions(client)
  const { port } = listener.address() as AddressInfo
  const socket: TLSSocket = connect({ ...options, host: '127.0.0.1', port })
  await once(socket, 'secureConnect')
  const ofServer = peerFingerprint(socket)
  const ofClient = await seen.promise
  socket.destroy()
  expect(peerFingerprint(socket)).toBeNull()
  listener.close()
  return { ofServer, ofClient }
}

test('each side sees the fingerprint of the other, and none of one without a certificate', async () => {
  expect(await fingerprintsSeen(one, other)).toEqual({
    ofServer: one.fingerprint,
    ofClient: other.fingerprint,
  })
  expect((await fingerprintsSeen(one, null)).ofClient).toBeNull()
})

test.each([
  { name: 'a clock that was never set', epochMs: 0 },
  { name: 'dates beyond 2050, which are written in another form', epochMs: Date.UTC(2045, 5, 1) },
])('$name makes certificates that work', async ({ epochMs }) => {
  const made = await makeCertificate('early or late', epochMs)
  const { ofServer, ofClient } = await fingerprintsSeen(made, made)
  expect([ofServer, ofClient]).toEqual([made.fingerprint, made.fingerprint])
})
