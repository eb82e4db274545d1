import { expect, test } from 'vitest'
import { allowedOrigin, corsHeaders, trustedHost } from '#gateway/cors.ts'

const nobody = { origins: [] }

test.each([
  'http://localhost',
  'http://localhost:3000',
  'https://localhost:3000',
  'http://127.0.0.1:5173',
  'http://127.1.2.3',
  'http://[::1]:8080',
  'app://obsidian.md',
  'tauri://localhost',
  'vscode-webview://abc',
])('a page of %s is one of this machine', (origin) => {
  expect(allowedOrigin(origin, nobody, '127.0.0.1:7070')).toBe(true)
})

test.each([
  'https://evil.example',
  'http://localhost.evil.example',
  'http://evil.example:3000',
  'http://127.0.0.1.evil.example',
  'http://localhost:3000.evil.example',
  'http://localhost@evil.example',
  'https://evil.example/http://localhost',
  'null',
  '',
])('a page of %j is not', (origin) => {
  expect(allowedOrigin(origin, nobody, '127.0.0.1:7070')).toBe(false)
})

test('a configured origin may come, exactly as it is written, and "*" is everybody', () => {
  const one = { origins: ['https://chat.example'] }
  expect(allowedOrigin('https://chat.example', one, undefined)).toBe(true)
  expect(allowedOrigin('http://chat.example', one, undefined)).toBe(false)
  expect(allowedOrigin('https://chat.example.evil.example', one, undefined)).toBe(false)
  expect(allowedOrigin('https://any.example', { origins: ['*'] }, undefined)).toBe(true)
})

test("the gateway's own pages may come under an address, and not under a name", () => {
  expect(allowedOrigin('http://10.0.0.5:7070', nobody, '10.0.0.5:7070')).toBe(true)
  expect(allowedOrigin('http://10.0.0.5:7070', nobody, '10.0.0.6:7070')).toBe(false)
  expect(allowedOrigin('http://rebound.example:7070', nobody, 'rebound.example:7070')).toBe(false)
})

test.each([
  ['localhost:7070', true],
  ['127.0.0.1:7070', true],
  ['[::1]:7070', true],
  ['rack', true],
  ['rack.local:7070', true],
  ['rack.home.arpa', true],
  ['rebound.example:7070', false],
  ['127.0.0.1.rebound.example', false],
  ['local.example', false],
])('the host %s is trusted: %s', (host, trusted) => {
  expect(trustedHost(host, nobody)).toBe(trusted)
})

test('a public host is trusted once its origin is configured', () => {
  const config = { origins: ['https://chat.example'] }
  expect(trustedHost('chat.example', config)).toBe(true)
  expect(trustedHost('at.example', config)).toBe(false)
})

test('a preflight gets the headers that it asks for, and its own origin', () => {
  const asked = 'anthropic-version, x-stainless-os'
  const headers = new Map(corsHeaders('http://localhost:3000', asked))
  expect(headers.get('access-control-allow-origin')).toBe('http://localhost:3000')
  expect(headers.get('access-control-allow-headers')).toBe(asked)
  expect(headers.get('vary')).toContain('Origin')
})

test('what the gateway says in headers may be read by pages', () => {
  const exposed = new Map(corsHeaders('http://localhost', undefined)).get(
    'access-control-expose-headers',
  )
  for (const name of ['x-request-id', 'x-motley-endpoint', 'retry-after']) {
    expect(exposed?.split(', ')).toContain(name)
  }
})
