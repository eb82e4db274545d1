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

test('answers tell who gave them and when, and whether the times are those of one endpoint', () => {
  const streamed = { endpoint: 'rtx', stream: true, queueMs: 100, ttftMs: 400, totalMs: 900 }
  const { answers } = parseAccessLog(
    [
      line({ ...streamed, attempts: ['rtx: ok'] }),
      line({ ...streamed, stream: false, attempts: ['rtx: ok'] }),
      line({ ...streamed, attempts: ['amd: connection refused', 'rtx: ok'] }),
      line({
        ...streamed,
        attempts: ['rtx: client left'],
        status: 499,
        completionTokens: null,
        events: 7,
      }),
      line({}),
    ].join('\n'),
    'access.log',
  )
  const endedAtMs = Date.parse('2026-11-28T01:00:03.000Z')
  expect(
    answers.map((one) => [
      one.endpoint,
      one.sentAtMs - endedAtMs,
      one.firstTokenAtMs === null ? null : one.firstTokenAtMs - endedAtMs,
      ...[one.endedAtMs - endedAtMs, one.outputTokens, one.counts],
    ]),
  ).toEqual([
    ['rtx', -800, -500, 0, 120, true],
    ['rtx', -800, null, 0, 120, true],
    ['rtx', -800, -500, 0, 120, false],
    ['rtx', -800, -500, 0, 7, false],
  ])
})

test('what no model could take is no count of tokens', () => {
  const odd = [{ promptTokens: 1e12 }, { promptTokens: 0.5 }, { completionTokens: -3 }]
  const { trace, withoutTokens } = parseAccessLog([{}, ...odd].map(line).join('\n'), 'access.log')
  expect([trace.requests.length, withoutTokens]).toEqual([1, 3])
})

test('where engines said what they had in their cache, prompts begin alike in the replay', () => {
  const turn = (second: number, fields: object) =>
    line({ time: `2026-11-28T01:00:0${second}.000Z`, endpoint: 'rtx', totalMs: 100, ...fields })
  const { trace, answers } = parseAccessLog(
    [
      turn(1, { promptTokens: 200, completionTokens: 50 }),
      turn(2, { promptTokens: 300, cachedTokens: 192 }),
    ].join('\n'),
    'access.log',
  )
  const [first, second] = trace.requests.map(({ prefixHashes }) => prefixHashes)
  expect(first).toHaveLength(3)
  expect(second?.slice(0, 3)).toEqual(first)
  expect(new Set(second)).toHaveProperty('size', 4)
  expect(answers.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 192])
})
