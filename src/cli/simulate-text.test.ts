import { expect, test } from 'vitest'
import { type ComparisonWords, comparisonText } from '#cli/simulate-text.ts'
import type { Metrics } from '#simulator/metrics.ts'

const times = { mean: 10, p50: 10, p95: 20, p99: 30 }

const metrics: Metrics = {
  ...{ requests: 1_000, ratePerSecond: 20, goodput: 18, attainment: 0.9 },
  ...{ rejected: 0, unanswered: 0, ttftMs: times, tpotMs: times, msPerToken: times },
  ...{ shares: [0.6, 0.4], refusedShare: 0, waitingShare: 0, preemptions: 0, prefixHitRatio: 0 },
  ...{ attainmentByModel: { m: 0.9 }, worstClient: 1, decisionUs: 0, decisionUsMax: 0 },
}

function text(of: Partial<Metrics>, words: Partial<ComparisonWords> = {}): string {
  const row = { load: 0.5, ratePerSecond: 20, policy: 'fastest', metrics: { ...metrics, ...of } }
  const told = comparisonText({
    ...{ fleetName: 'lab', endpoints: ['a', 'b'], traceName: 'trace', recorded: false },
    ...{ targets: { ttftMs: 2_000, tpotMs: 100 }, warmUpMs: 60_000, remarks: [] },
    comparison: { boundPerSecond: 40, rows: [row] },
    ...words,
  })
  return told.replaceAll('\u00a0', ' ')
}

test('what each endpoint got, was refused and still waited is all there is', () => {
  expect(text({})).toMatch(/^fastest: a 60 %, b 40 %$/m)
  expect(text({ shares: [0.5, 0.37], refusedShare: 0.11, waitingShare: 0.02 })).toMatch(
    /^fastest: a 50 %, b 37 %, refused 11.0 %, still waiting at the end 2.0 %$/m,
  )
})

test('which requests are counted is said, and why their rate is another than the one asked for', () => {
  expect(text({})).toMatch(/^counted after the first 60 s: 1000 requests, 20\/s$/m)
  expect(text({ ratePerSecond: 27.3 })).toMatch(
    /^counted after the first 60 s: 1000 requests, 27.3\/s, as requests come in bursts$/m,
  )
  expect(text({}, { warmUpMs: 0 })).not.toContain('counted')
})

test('each of several models is told of, and a single one is not', () => {
  expect(text({})).not.toContain('in time: m')
  expect(text({ attainmentByModel: { small: 1, large: 0.75 } })).toMatch(
    /^fastest, in time: large 75.0 %, small 100.0 %$/m,
  )
})

test('where no bound was found that is said', () => {
  const rows = [{ load: 1, ratePerSecond: 20, policy: 'fastest', metrics }]
  const told = text({}, { recorded: true, comparison: { boundPerSecond: null, rows } })
  expect(told).toContain('could serve in time at most was not found')
})
