import { expect, test } from 'vitest'
import { fasterClock } from '#emulator/clock.ts'
import { engineModelOf } from '#emulator/engine-model.ts'
import { Inference, type InferenceOptions } from '#emulator/inference.ts'
import { ManualClock } from '#emulator/manual-clock.ts'

const nothing = { device: undefined, slots: undefined, kvTokens: undefined, batchTokens: undefined }

/** vLLM on a machine of 1000 prompt tokens a second and 100 steps a second. */
const plain: InferenceOptions = {
  ...engineModelOf({
    ...nothing,
    engine: 'vllm',
    slots: 2,
    kvTokens: 16_000,
    prefillTokensPerSecond: 1000,
    decodeTokensPerSecond: 100,
    isInstant: false,
  }),
  contextTokens: 16_000,
  waitingMax: null,
}

function machine(overrides: Partial<InferenceOptions> = {}) {
  const clock = new ManualClock()
  const inference = new Inference(clock, { ...plain, ...overrides })
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

test('the first token comes after the prompt is read, then one each step', () => {
  const { clock, log, submit } = machine()
  submit('a', 500, 3)
  clock.advance(1000)
  // 500 tokens at 1000/s are 500 ms; then every 10 ms.
  expect(log).toEqual(['a 0-1 at 500', 'a 1-2 at 510', 'a 2-3 at 520', 'a done at 520'])
  expect(clock.timers).toBe(0)
})

test('a prompt that is read beside a running job holds its tokens up', () => {
  const { clock, log, submit } = machine()
  submit('a', 100, 3)
  clock.advance(105)
  submit('b', 200, 1)
  clock.advance(1000)
  // b joins when a's step ends at 110, and its 200 ms are a's next step.
  expect(log).toEqual([
    'a 0-1 at 100',
    'a 1-2 at 110',
    'a 2-3 at 320',
    'a done at 320',
    'b 0-1 at 320',
    'b done at 320',
  ])
})

test('a delay comes before the prompt', () => {
  const { clock, log, inference, submit } = machine()
  submit('a', 100, 1, 2000)
  expect(inference.load()).toMatchObject({ running: 1, waiting: 0 })
  clock.advance(5000)
  expect(log[0]).toBe('a 0-1 at 2100')
})

test('a job beyond the slots waits for the first that ends, first come first served', () => {
  const { clock, log, inference, submit } = machine({ slots: 1 })
  submit('a', 100, 1)
  submit('b', 300, 1)
  submit('c', 100, 1)
  expect(inference.load()).toMatchObject({ running: 1, waiting: 2 })
  clock.advance(10_000)
  expect(log.filter((line) => line.includes('done'))).toEqual([
    'a done at 100',
    'b done at 400',
    'c done at 500',
  ])
  expect(inference.load()).toMatchObject({ running: 0, waiting: 0, finishedTotal: 3 })
})

test('cancelling gives the slot to the next when the step under way is over', () => {
  const { clock, log, inference, submit } = machine({ slots: 1 })
  const first = submit('a', 1000, 1)
  submit('b', 100, 1)
  clock.advance(50)
  first?.cancel()
  first?.cancel()
  expect(inference.load()).toMatchObject({ running: 0, waiting: 1, cancelledTotal: 1 })
  clock.advance(2000)
  expect(log).toEqual(['b 0-1 at 1100', 'b done at 1100'])
  expect(clock.timers).toBe(0)
})

test('a job that is delayed can be cancelled, too', () => {
  const { clock, log, submit } = machine()
  submit('a', 10, 1, 1000)?.cancel()
  clock.advance(5000)
  expect(log).toEqual([])
  expect(clock.timers).toBe(0)
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
  new Inference(lateTimers, plain).submit({
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

test('an instant job is done before submit returns', () => {
  const instant = engineModelOf({
    ...nothing,
    engine: 'vllm',
    prefillTokensPerSecond: undefined,
    decodeTokensPerSecond: undefined,
    isInstant: true,
  })
  const { log, clock, submit } = machine(instant)
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
  new Inference(fasterClock(clock, 10), plain).submit({
    promptTokens: 1000,
    outputTokens: 101,
    delayMs: 0,
    onDone: () => done.push(clock.nowMs()),
  })
  clock.advance(5000)
  expect(done).toEqual([200])
})

test('the KV cache holds the prompt and what was written, in blocks, while it runs', () => {
  const { clock, inference, submit } = machine()
  submit('a', 100, 50)
  clock.advance(100 + 95)
  expect(inference.load()).toMatchObject({
    // 100 and 9 written tokens, and the tenth that is being written: seven blocks of 16.
    kvUsedTokens: 112,
    outputTokensPerSecond: 100,
    promptTokensTotal: 100,
    outputTokensTotal: 10,
  })
})

test('a prompt whose beginning is known is read sooner', () => {
  const { clock, inference } = machine()
  const hashes = [1, 2, 3, 4, 5]
  const done: number[] = []
  for (const promptTokens of [64, 80]) {
    inference.submit({
      promptTokens,
      outputTokens: 1,
      delayMs: 0,
      prefix: { hashes, blockTokens: 16, tokens: 80 },
      onDone: () => done.push(clock.nowMs()),
    })
    clock.advance(1000)
  }
  expect(done).toEqual([64, 1000 + 16])
  expect(inference.load()).toMatchObject({
    prefixQueriedTokensTotal: 144,
    prefixHitTokensTotal: 64,
  })
})

test('when the cache is full the newest gives way, and all the same gets all its tokens', () => {
  const { clock, inference, log, submit } = machine({ kvTokens: 96, contextTokens: 96 })
  submit('a', 40, 20)
  submit('b', 40, 20)
  clock.advance(5000)
  expect(inference.load()).toMatchObject({ preemptionsTotal: 1, outputTokensTotal: 40 })
  expect(log.filter((line) => line.includes('done'))).toHaveLength(2)
  expect(log.filter((line) => line.startsWith('b'))).toHaveLength(21)
})

test('a job tells how long it waited, was read and was written', () => {
  const { clock, submit } = machine({ slots: 1 })
  submit('a', 100, 1)
  const second = submit('b', 200, 6)
  clock.advance(100 + 200 + 50)
  expect(second?.timing()).toEqual({ queueMs: 100, promptMs: 200, outputMs: 50 })
})

test('once it is closed nothing starts it again, whoever leaves or comes', () => {
  const { clock, inference, log, submit } = machine()
  const [first, second] = [submit('a', 100, 3), submit('b', 100, 3)]
  clock.advance(50)
  inference.close()
  first?.cancel()
  expect(submit('c', 10, 1)).toBe(null)
  second?.cancel()
  expect(clock.timers).toBe(0)
  clock.advance(1000)
  expect(log).toEqual([])
})
