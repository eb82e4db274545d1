import { expect, test } from 'vitest'
import { type RequestRecord, whyText } from '#cli/why-text.ts'

type Candidate = RequestRecord['decisions'][number]['candidates'][number]

function candidate(endpoint: string, fields: Partial<Candidate>): Candidate {
  return {
    endpoint,
    verdict: 'refused',
    refusal: null,
    score: null,
    state: 'ready',
    inFlight: 0,
    weight: 1,
    slowStartRatio: 1,
    ...fields,
  }
}

const record: RequestRecord = {
  requestId: 'req-1',
  model: 'llama-3.1-8b',
  answeredModel: 'qwen2.5-7b',
  decisions: [
    {
      model: 'llama-3.1-8b',
      strategy: 'least-connections',
      scoreMeaning: '(requests in flight + 1) / weight',
      candidates: [
        candidate('h100', { verdict: 'chosen', score: 0.5, inFlight: 1, weight: 4 }),
        candidate('mi300x', {
          verdict: 'runner-up',
          score: 1.51234,
          weight: 3,
          slowStartRatio: 0.25,
        }),
        candidate('full', {
          inFlight: 8,
          refusal: { kind: 'full', inFlight: 8, maxInFlight: 8 },
        }),
        candidate('down', { state: 'failed', refusal: { kind: 'state', state: 'failed' } }),
        candidate('probed', { state: 'failing', refusal: { kind: 'probing' } }),
        candidate('resting', { refusal: { kind: 'cooling', untilMs: 1 } }),
        candidate('parked', { weight: 0, refusal: { kind: 'weight-zero' } }),
        candidate('tried', { refusal: { kind: 'tried' } }),
      ],
    },
  ],
  attempts: [
    { endpoint: 'tried', model: 'llama-3.1-8b', outcome: 'connection reset', durationMs: 12.3 },
    { endpoint: 'h100', model: 'qwen2.5-7b', outcome: 'ok', durationMs: 12_345 },
  ],
  queueMs: 120.4,
  ttftMs: 310.2,
  totalMs: 12_480,
  status: 200,
}

test('a decision is told with every candidate, its numbers and why it was not chosen', async () => {
  await expect(`${whyText(record)}\n`).toMatchFileSnapshot('../../fixtures/cli/why.txt')
})

test('a request that went nowhere says so', () => {
  expect(whyText({ ...record, attempts: [], status: 503 })).toContain('No endpoint was asked.')
})
