import { expect, test } from 'vitest'
import {
  forwardedAnswerHeaders,
  forwardedRequestHeaders,
  retryAfterSeconds,
} from '#gateway/headers.ts'

const hopByHop = [
  'Connection',
  'Keep-Alive',
  'Proxy-Authenticate',
  'Proxy-Authorization',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
]

test.each([
  ...hopByHop,
  'Host',
  'Content-Length',
  'Content-Encoding',
  'Accept-Encoding',
  'Authorization',
  'X-Api-Key',
  'Api-Key',
  'Cookie',
  'Expect',
  'Origin',
  'X-Request-Id',
])('%s of a client does not reach an engine', (name) => {
  expect(forwardedRequestHeaders([name, 'x', 'X-Kept', 'yes'])).toEqual(['x-kept', 'yes'])
})

test("headers of a client that are nobody else's go on, in order, repeated ones too", () => {
  expect(
    forwardedRequestHeaders(['X-B', '1', 'Content-Type', 'application/json', 'x-b', '2']),
  ).toEqual(['x-b', '1', 'content-type', 'application/json', 'x-b', '2'])
})

test('what a client names in Connection ends with it, in any case and in any of them', () => {
  const headers = ['Connection', 'Close, X-One', 'connection', 'x-two ,x-three', 'X-ONE', '1']
  expect(
    forwardedRequestHeaders([...headers, 'x-two', '2', 'X-Three', '3', 'x-four', '4']),
  ).toEqual(['x-four', '4'])
})

test.each([
  ...hopByHop,
  'Content-Length',
  'Server',
  'Date',
  'Set-Cookie',
  'Alt-Svc',
  'WWW-Authenticate',
  'Access-Control-Allow-Origin',
  'X-Request-Id',
  'X-Motley-Endpoint',
  'X-Motley-Attempts',
])('%s of an engine does not reach a client', (name) => {
  const headers = { [name.toLowerCase()]: 'x', 'x-kept': 'yes' }
  expect(forwardedAnswerHeaders(headers)).toEqual(['x-kept', 'yes'])
})

test('headers of an engine that are for the client go on, repeated ones too', () => {
  expect(
    forwardedAnswerHeaders({ 'content-type': 'audio/wav', 'x-many': ['1', '2'] as never }),
  ).toEqual(['content-type', 'audio/wav', 'x-many', '1', 'x-many', '2'])
})

test('what an engine names in Connection ends with it', () => {
  const headers = { connection: 'keep-alive, X-Hop', 'x-hop': '1', 'x-kept': '2' }
  expect(forwardedAnswerHeaders(headers)).toEqual(['x-kept', '2'])
})

const nowMs = Date.UTC(2026, 10, 21, 12, 0, 0)
test.each([
  ['7', 7],
  [' 7 ', 7],
  ['0', 0],
  ['1.5', 1.5],
  ['Sat, 21 Nov 2026 12:00:30 GMT', 30],
  ['Sat, 21 Nov 2026 11:59:00 GMT', 0],
  ['soon', null],
  ['', null],
  ['-', null],
  [undefined, null],
])('Retry-After %j is %j seconds', (value, seconds) => {
  expect(retryAfterSeconds(value, nowMs)).toBe(seconds)
})
