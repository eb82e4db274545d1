import { expect, test } from 'vitest'
import { parseAccessLog } from '#simulator/traces/access-log.ts'

const line = (fields: Readonly<Record<string, unknown>>) =>
  JSON.stringify({
    time: '2026-11-28T01:00:03.000Z',
    key: 'app',
    model: 'llama-3.1-8b',
    status: 200,
    totalMs: 2_000,
    promptTokens: 900,
    completionTokens: 120,
    ...fields,
  })

test('requests come when they began, which is not when they were logged', () => {
  const { trace } = parseAccessLog(
    [
      line({ time: '2026-11-28T01:00:03.500Z', totalMs: 500, key: 'quick' }),
      line({ time: '2026-11-28T01:00:04.000Z', totalMs: 3_000, key: 'slow' }),
    ].join('\n'),
    'access.log',
  )
  expect(trace.requests.map(({ arrivalMs, client }) => [client, arrivalMs])).toEqual([
    ['slow', 0],
    ['quick', 2_000],
  ])
  expect(trace.requests[0]).toMatchObject({
    promptTokens: 900,
    outputTokens: 120,
    model: 'llama-3.1-8b',
  })
})

test('an alias counts as the model that it stands for', () => {
  const lines = [
    line({ model: 'gpt-4o', answeredModel: 'llama-3.1-8b', endpoint: 'a' }),
    line({ endpoint: 'a' }),
  ]
  const { trace, answers } = parseAccessLog(lines.join('\n'), 'access.log')
  expect(new Set([...trace.requests, ...answers].map(({ model }) => model))).toEqual(
    new Set(['llama-3.1-8b']),
  )
})

test('what cannot be replayed is counted, and lines of other logs are passed over', () => {
  const { trace, withoutTokens, failed } = parseAccessLog(
    [
      'motley listens on 127.0.0.1:7070',
      '{"level":"info","text":"ready"}',
      '{ broken',
      line({}),
      line({ status: 503 }),
      line({ promptTokens: null }),
      line({ completionTokens: 0 }),
    ].join('\n'),
    'access.log',
  )
  expect([trace.requests.length, withoutTokens, failed]).toEqual([1, 2, 1])
})

test.each([
  { text: 'hello\n', error: 'a.log: found no request, allowed: lines of the gateway' },
  {
    text: `${line({ status: 500 })}\n${line({ promptTokens: null })}`,
    error: 'a.log: found only requests that cannot be replayed: 1 without counts of tokens, 1 that',
  },
])('a log without anything to replay says so: $error', ({ text, error }) => {
  expect(() => parseAccessLog(text, 'a.log')).toThrow(error)
})

test('answers tell who gave them and in what time, unless another endpoint was tried before', () => {
  const streamed = { endpoint: 'rtx', stream: true, queueMs: 100, ttftMs: 400, totalMs: 900 }
  const { answers } = parseAccessLog(
    [
      line({ ...streamed, attempts: ['rtx: ok'] }),
      line({ ...streamed, stream: false, attempts: ['rtx: ok'] }),
      line({ ...streamed, attempts: ['amd: connection refused', 'rtx: ok'] }),
      line({}),
    ].join('\n'),
    'access.log',
  )
  expect(
    answers.map(({ endpoint, firstTokenMs, answerMs }) => [endpoint, firstTokenMs, answerMs]),
  ).toEqual([
    ['rtx', 300, 800],
    ['rtx', null, 800],
  ])
})
