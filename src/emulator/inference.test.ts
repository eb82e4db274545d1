import { expect, test } from 'vitest'
import { fasterClock } from '#emulator/clock.ts'
import { Inference, type InferenceRates } from '#emulator/inference.ts'
import { ManualClock } from '#emulator/manual-clock.ts'

const rates: InferenceRates = {
  prefillTokensPerSecond: 1000,
  decodeTokensPerSecond: 100,
  slots: 2,
  waitingMax: null,
  kvTokens: 10_000,
}

function machine(overrides: Partial<InferenceRates> = {}) {
  const clock = new ManualClock()
  const inference = new Inference(clock, { ...rates, ...overrides })
  const log: string[] = []
  const submit = (name: string, promptTokens: number, outputTokens: number, delayMs = 0) =>
    inference.submit({
      promptTokens,
      outputTokens,
      delayMs,
      onTokens: (from, to) => log.push(`${name} ${from}-${to} at ${clock.nowMs()}`),
      onDone: () => log.push(`${name} done at ${clock.nowMs()}`),
    })
  return { clock, inference, log, submit }
}

test('the first token comes after the prompt is read, then one each 1/rate', () => {
  const { clock, log, submit } = machine()
  submit('a', 500, 3)
  clock.advance(1000)
  // 500 tokens at 1000/s are 500 ms; then every 10 ms.
  expect(log).toEqual(['a 0-1 at 500', 'a 1-2 at 510', 'a 2-3 at 520', 'a done at 520'])
  expect(clock.timers).toBe(0)
})

test('a delay comes before the prompt', () => {
  const { clock, log, submit } = machine()
  submit('a', 100, 1, 2000)
  clock.advance(5000)
  expect(log[0]).toBe('a 0-1 at 2100')
})

test('a job beyond the slots waits for the first that ends, first come first served', () => {
  const { clock, log, inference, submit } = machine()
  submit('a', 100, 1)
  submit('b', 300, 1)
  submit('c', 100, 1)
  submit('d', 100, 1)
  expect(inference.load()).toMatchObject({ running: 2, waiting: 2 })
  clock.advance(10_000)
  expect(log.filter((line) => line.includes('done'))).toEqual([
    'a done at 100',
    'c done at 200',
    'b done at 300',
    'd done at 300',
  ])
  expect(inference.load()).toMatchObject({ running: 0, waiting: 0, finishedTotal: 4 })
})

test('cancelling gives the slot to the next at once', () => {
  const { clock, log, inference, submit } = machine({ slots: 1 })
  const first = submit('a', 1000, 1)
  submit('b', 100, 1)
  clock.advance(50)
  first?.cancel()
  first?.cancel()
  expect(inference.load()).toMatchObject({ running: 1, waiting: 0, cancelledTotal: 1 })
  clock.advance(1000)
  expect(log).toEqual(['b 0-1 at 150', 'b done at 150'])
})

test('a job that waits can be cancelled, and a full queue takes no more', () => {
  const { inference, submit } = machine({ slots: 1, waitingMax: 1 })
  submit('a', 100, 1)
  const waiting = submit('b', 100, 1)
  expect(submit('c', 100, 1)).toBeNull()
  waiting?.cancel()
  expect(inference.load()).toMatchObject({ running: 1, waiting: 0 })
  expect(submit('d', 100, 1)).not.toBeNull()
})

test('tokens that fall due between two looks come together, none early', () => {
  const late = new ManualClock()
  const lateTimers = {
    nowMs: () => late.nowMs(),
    // A coarse timer: nothing fires but at whole 25 ms.
    schedule: (afterMs: number, run: () => void) =>
      late.schedule(Math.ceil((late.nowMs() + afterMs) / 25) * 25 - late.nowMs(), run),
  }
  const seen: string[] = []
  new Inference(lateTimers, rates).submit({
    promptTokens: 0,
    outputTokens: 6,
    delayMs: 0,
    onTokens: (from, to) => seen.push(`${from}-${to} at ${late.nowMs()}`),
    onDone: () => seen.push(`done at ${late.nowMs()}`),
  })
  late.advance(1000)
  // Due at 0, 10, 20, 30, 40, 50.
  expect(seen).toEqual(['0-1 at 0', '1-3 at 25', '3-6 at 50', 'done at 50'])
})

test('at infinite rates a job is done before submit returns', () => {
  const { log, clock, submit } = machine({
    prefillTokensPerSecond: Number.POSITIVE_INFINITY,
    decodeTokensPerSecond: Number.POSITIVE_INFINITY,
  })
  submit('a', 5000, 64)
  expect(log).toEqual(['a 0-64 at 0', 'a done at 0'])
  expect(clock.timers).toBe(0)
})

test('a job without tokens ends when its prompt is read', () => {
  const { clock, log, submit, inference } = machine()
  submit('embed', 200, 0)
  clock.advance(199)
  expect(log).toEqual([])
  clock.advance(1)
  expect(log).toEqual(['embed done at 200'])
  expect(inference.load().promptTokensTotal).toBe(200)
})

test('a clock of speed ten makes it ten times as fast', () => {
  const clock = new ManualClock()
  const done: number[] = []
  new Inference(fasterClock(clock, 10), rates).submit({
    promptTokens: 1000,
    outputTokens: 101,
    delayMs: 0,
    onDone: () => done.push(clock.nowMs()),
  })
  clock.advance(5000)
  expect(done).toEqual([200])
})

test('the KV cache holds the prompt and what was written, while it runs', () => {
  const { clock, inference, submit } = machine()
  submit('a', 100, 50)
  clock.advance(100 + 95)
  expect(inference.load()).toMatchObject({
    kvUsedTokens: 100 + 10,
    outputTokensPerSecond: 100,
    promptTokensTotal: 100,
    outputTokensTotal: 10,
  })
})
