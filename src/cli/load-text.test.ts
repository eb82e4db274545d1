import { expect, test } from 'vitest'
import { loadText } from '#cli/load-text.ts'
import type { LoadReport } from '#loadtest/load-report.ts'

const figures = {
  requests: 3,
  answered: 2,
  failedRatio: 1 / 3,
  durationMs: 2_670,
  requestsPerSecond: 0.75,
  promptTokens: 1_036,
  completionTokens: 51,
  promptTokensPerSecond: 388,
  completionTokensPerSecond: 19,
  goodputRatio: 2 / 3,
  goodputPerSecond: 0.75,
  ttftMs: null,
  tpotMs: null,
  endToEndMs: null,
}

function told(failure: string): string {
  const report: LoadReport = {
    ...figures,
    outcomes: { answered: 2, [failure]: 1 },
    endpoints: {},
    phases: [],
    slo: { ttftMs: 2_000, tpotMs: 100, endToEndMs: null },
  }
  return loadText({ report, verdicts: [], lateRequests: 0, stopped: false })
}

test('requests that are too long for the model say how to ask for less', () => {
  expect(told('400 context_length_exceeded')).toContain('--prompt-tokens')
})

test('another failure gives no such advice', () => {
  expect(told('503 no_ready_endpoint')).not.toContain('--prompt-tokens')
})

test('the report fits 80 columns', () => {
  const widest = Math.max(
    ...told('400 context_length_exceeded')
      .split('\n')
      .map((l) => l.length),
  )
  expect(widest).toBeLessThanOrEqual(80)
})
