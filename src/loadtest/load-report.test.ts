import { expect, test } from 'vitest'
import { loadReport } from '#loadtest/load-report.ts'
import type { Sample } from '#loadtest/sample.ts'
import { judge, readThreshold, thresholdProblem } from '#loadtest/threshold.ts'

function sample(part: Partial<Sample>): Sample {
  return {
    phase: '1 req/s',
    dueMs: 0,
    outcome: { kind: 'answered' },
    ttftMs: 100,
    tpotMs: 10,
    endToEndMs: 1_000,
    promptTokens: 50,
    completionTokens: 20,
    endpoint: null,
    ...part,
  }
}

const samples = [
  sample({ ttftMs: 100, endpoint: 'rtx' }),
  sample({ ttftMs: 300, endpoint: 'rtx', phase: '2 req/s', dueMs: 1_000 }),
  sample({ ttftMs: 5_000, endToEndMs: 6_000, endpoint: 'amd', phase: '2 req/s', dueMs: 4_000 }),
  sample({
    outcome: { kind: 'refused', status: 429, code: 'queue_full' },
    ttftMs: null,
    tpotMs: null,
    completionTokens: 0,
    phase: '2 req/s',
    dueMs: 5_000,
  }),
]
const slo = { ttftMs: 2_000, tpotMs: 100, endToEndMs: null }
const report = loadReport(samples, slo, 10_000)

test('a report counts what was answered, what met the targets and who answered', () => {
  expect(report).toMatchObject({
    requests: 4,
    answered: 3,
    failedRatio: 0.25,
    requestsPerSecond: 0.3,
    completionTokens: 60,
    completionTokensPerSecond: 6,
    goodputRatio: 0.5,
    goodputPerSecond: 0.2,
    outcomes: { answered: 3, '429 queue_full': 1 },
    endpoints: { rtx: 2, amd: 1 },
  })
  expect(report.ttftMs).toMatchObject({ mean: 1_800, p50: 300, max: 5_000 })
})

test('each part of a load has figures of its own', () => {
  expect(
    report.phases.map(({ phase, requests, goodputRatio }) => [phase, requests, goodputRatio]),
  ).toEqual([
    ['1 req/s', 1, 1],
    ['2 req/s', 3, 1 / 3],
  ])
})

test('a load without a single answer has counts, and no times', () => {
  const none = loadReport([sample({ outcome: { kind: 'timed-out' }, ttftMs: null })], slo, 1_000)
  expect(none).toMatchObject({ answered: 0, failedRatio: 1, ttftMs: null, goodputRatio: 0 })
})

test.each([
  { text: 'p50(ttft)<1s', value: 300, holds: true },
  { text: 'p50(ttft)<300ms', value: 300, holds: false },
  { text: 'max(e2e) < 5s', value: 6_000, holds: false },
  { text: 'failed<30%', value: 0.25, holds: true },
  { text: 'failed<0.2', value: 0.25, holds: false },
  { text: 'goodput>90%', value: 0.5, holds: false },
  { text: 'output>5', value: 6, holds: true },
  { text: 'rate>1', value: 0.3, holds: false },
])('$text: $value, holds: $holds', ({ text, value, holds }) => {
  const threshold = readThreshold(text)
  if (threshold === null) throw new Error('it is one')
  expect(judge(threshold, report)).toEqual({ threshold: text, value, holds })
})

test('a threshold on times that nothing was measured for does not hold', () => {
  const threshold = readThreshold('p95(ttft)<2s')
  if (threshold === null) throw new Error('it is one')
  expect(judge(threshold, loadReport([], slo, 1_000)).holds).toBe(false)
})

test.each([
  { text: 'p95(ttft)<2', why: 'does not say 2 of what: write p95(ttft)<2s or p95(ttft)<2ms' },
  { text: 'failed<1', why: 'is a ratio of 1 or more: write failed<1%' },
  { text: 'ttft<2s', why: 'is no threshold; write p95(ttft)<2s' },
])('$text is told what is wrong with it', ({ text, why }) => {
  expect(thresholdProblem(text)).toContain(`"${text}" ${why}`)
})

test.each([
  'p95(ttft)<2%',
  'p95(ttft)<2',
  'p96(ttft)<2s',
  'failed<1s',
  'failed<1',
  'goodput>90',
  'output>5%',
  'ttft<2s',
  'p95(ttft)=2s',
  '',
])('"%s" is no threshold', (text) => {
  expect(readThreshold(text)).toBeNull()
})
