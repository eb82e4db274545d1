import { expect, test } from 'vitest'
import { formatFault, parseFault } from '#emulator/fault.ts'

test.each([
  ['refuse', { kind: 'refuse', when: {} }],
  ['reset', { kind: 'reset', when: {} }],
  ['cut:40', { kind: 'cut', events: 40, when: {} }],
  ['stall:40:30s', { kind: 'stall', events: 40, delayMs: 30_000, when: {} }],
  ['slow-first-token:1.5s', { kind: 'slow-first-token', delayMs: 1500, when: {} }],
  ['garbage', { kind: 'garbage', events: 3, when: {} }],
  ['status:503@first', { kind: 'status', status: 503, when: { first: 1 } }],
  ['429:2s@first=3', { kind: '429', retryAfterMs: 2000, form: 'seconds', when: { first: 3 } }],
  ['429-date:2s', { kind: '429', retryAfterMs: 2000, form: 'date', when: {} }],
  ['hang@every=5', { kind: 'hang', when: { every: 5 } }],
  ['hang@p=0.1', { kind: 'hang', when: { chance: 0.1 } }],
  ['refuse@after=10s@until=1m', { kind: 'refuse', when: { afterMs: 10_000, untilMs: 60_000 } }],
  ['no-done@model=llama-3.1-8b', { kind: 'no-done', when: { model: 'llama-3.1-8b' } }],
  ['keep-alive-race:next', { kind: 'keep-alive-race', moment: 'next', when: {} }],
])('%s is read', (text, fault) => {
  expect(parseFault(text)).toEqual(fault)
})

test.each([
  'cut:40@first=3@model=m',
  'stall:1:250ms',
  'slow-health:5000ms',
  '429-date:2000ms@every=2',
  'status:500@p=0.5@after=10ms@until=20ms@task=chat',
  'keep-alive-race:next',
  'mid-error:4',
  'pings:100ms',
  'refuse',
])('%s survives being written and read again', (text) => {
  expect(parseFault(formatFault(parseFault(text)))).toEqual(parseFault(text))
})

test.each([
  ['explode', 'there is no kind "explode"; the kinds are 429, 429-date, refuse'],
  ['toString', 'there is no kind "toString"'],
  ['cut', 'it is written like cut:40'],
  ['cut:forty', 'it is written like cut:40'],
  ['cut:1:2', 'it is written like cut:40'],
  ['reset:now', 'it is written like reset'],
  ['status:200', 'status:503, from 400 to 599'],
  ['stall:40:30', 'stall:40:30s, with times as 500ms, 20s or 1m'],
  ['hang@p=2', 'from 0 to 1'],
  ['hang@sometimes', 'the condition "sometimes" is not one of @first'],
  ['hang@every', 'it is written like hang'],
  ['refuse@first', 'takes only @after and @until'],
])('%s is refused with what would be right', (text, message) => {
  expect(() => parseFault(text)).toThrow(message)
})
