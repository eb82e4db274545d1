import { expect, test } from 'vitest'
import { EndpointNews } from '#cli/endpoint-news.ts'
import { endpointId } from '#core/ids.ts'
import type { CheckVerdict, EndpointReport } from '#protocol/endpoint-report.ts'

const rtx = endpointId('rtx')

function report(verdict: CheckVerdict, detail: string | null = null, atMs = 0): EndpointReport {
  return {
    endpoint: rtx,
    atMs,
    check: { status: 'L7OK', verdict, code: null, durationMs: 1, detail },
    engine: null,
    engineVersion: null,
    models: null,
    tasks: null,
    load: null,
    supportsStreamUsage: false,
    continuation: { kind: 'completion' },
  }
}

const refused = report('refused', 'the connection was refused')

test('one that is well from the start is no news, nor is the same thing twice', () => {
  const news = new EndpointNews()
  expect([report('ready'), report('ready')].map((each) => news.note(each, 0))).toEqual([null, null])
})

test('down and back are one line each; a single bad check is none', () => {
  const news = new EndpointNews()
  const reports = [report('ready'), refused, refused, refused, report('ready'), refused]
  expect(reports.map((each) => news.note(each, 0))).toEqual([
    null,
    null,
    'rtx is failed: the connection was refused',
    null,
    'rtx is ready',
    null,
  ])
})

test('one that was never there is told at once, and its loading is not the end of it', () => {
  const news = new EndpointNews()
  const reports = [refused, report('loading'), report('loading'), report('ready')]
  expect(reports.map((each) => news.note(each, 0))).toEqual([
    'rtx is failed: the connection was refused',
    null,
    null,
    'rtx is ready',
  ])
})

test('one that is silent over its work is not down', () => {
  const news = new EndpointNews()
  news.note(report('ready'), 0)
  const silent = (atMs: number) => report('silent', 'no answer within 1000 ms', atMs)
  expect([90_000, 180_000].map((atMs) => news.note(silent(atMs), 1))).toEqual([null, null])
  expect([190_000, 191_000].map((atMs) => news.note(silent(atMs), 0))).toEqual([
    null,
    'rtx is failed: no answer within 1000 ms',
  ])
})

test('one that was removed starts anew', () => {
  const news = new EndpointNews()
  news.note(refused, 0)
  news.keepOnly(new Set())
  expect(news.note(report('ready'), 0)).toBeNull()
})
