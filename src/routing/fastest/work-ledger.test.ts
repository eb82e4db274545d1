import { expect, test } from 'vitest'
import { modelName, requestId } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import { WorkLedger } from '#routing/fastest/work-ledger.ts'

function work(units: number, task: Task = 'embedding'): DispatchRequest {
  return {
    id: requestId('r'),
    model: modelName('m'),
    task,
    streams: false,
    workUnits: units,
    promptTokens: 1,
    maxTokens: null,
    client: 'c',
    service: 'standard',
    targets: { ttftMs: null, tpotMs: null },
    prefixBlocks: [],
    prefixBlockTokens: 1,
    priority: 0,
    arrivedAtMs: 0,
    excluded: [],
    constraint: null,
  }
}

test('the first answer of a task says how long a unit takes, the next ones correct it', () => {
  const ledger = new WorkLedger()
  expect(ledger.ownMs(work(100))).toBe(0)
  ledger.end(ledger.begin(work(100), 0), true, 50)
  expect(ledger.ownMs(work(200))).toBe(100)
  expect(ledger.ownMs(work(200, 'rerank'))).toBe(0)
  for (let nowMs = 0; nowMs < 100_000; nowMs += 1_000) {
    ledger.end(ledger.begin(work(100), nowMs), true, nowMs + 200)
  }
  expect(ledger.ownMs(work(100))).toBeCloseTo(200, 0)
})

test('an engine that does eight at a time is seen to be eight times as fast', () => {
  const ledger = new WorkLedger()
  ledger.end(ledger.begin(work(100), 0), true, 80)
  for (let round = 1; round <= 100; round++) {
    const jobs = Array.from({ length: 8 }, () => ledger.begin(work(100), round * 1_000))
    for (const job of jobs) ledger.end(job, true, round * 1_000 + 80)
  }
  // The eighth of eight is done after 80 ms: what is there then is 80 ms of work.
  const jobs = Array.from({ length: 8 }, () => ledger.begin(work(100), 0))
  expect(ledger.outstandingMs).toBeGreaterThan(40)
  expect(ledger.outstandingMs).toBeLessThan(240)
  for (const job of jobs) ledger.end(job, true, 80)
  expect([ledger.count, ledger.outstandingMs]).toEqual([0, 0])
})

test('work that failed teaches nothing, and is not there any more', () => {
  const ledger = new WorkLedger()
  ledger.end(ledger.begin(work(100), 0), true, 50)
  ledger.end(ledger.begin(work(100), 100), false, 60_000)
  expect(ledger.ownMs(work(100))).toBe(50)
  expect(ledger.outstandingMs).toBe(0)
})
