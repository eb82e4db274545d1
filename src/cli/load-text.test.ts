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

const onTime = { lateRequests: 0, heldRequests: 0, lateMsMax: 3 }

function told(failure: string, late = onTime, requests = figures.requests): string {
  const report: LoadReport = {
    ...figures,
    requests,
    outcomes: { answered: 2, [failure]: 1 },
    endpoints: {},
    phases: [],
    slo: { ttftMs: 2_000, tpotMs: 100, endToEndMs: null },
  }
  return loadText({ report, verdicts: [], late, maxInFlight: 8, stopped: false })
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

test('a late request in hundreds is no alarm, and a hundredth of them is', () => {
  const late = { lateRequests: 3, heldRequests: 0, lateMsMax: 90 }
  expect(told('cut', late, 1_000)).not.toContain('late')
  expect(told('cut', late, 200).replaceAll('\n  ', ' ')).toContain(
    '3 requests went out late, up to 90 ms, as this machine was busy: that is part of the times above.',
  )
})

test('requests that were held back are told with the limit that did it', () => {
  const text = told('cut', { lateRequests: 1, heldRequests: 1, lateMsMax: 2_500 }, 1_000)
  expect(text.replaceAll('\n  ', ' ')).toContain(
    '1 request waited here, up to 2.50 s, as --max-in-flight 8 were under way: the times above',
  )
})
