import { expect, test } from 'vitest'
import { BatchScheduler, type BatchSchedulerOptions } from '#batching/batch-scheduler.ts'
import type { EngineBehaviour } from '#batching/policies/behaviour.ts'
import { stepTimeOf } from '#batching/step-time.ts'

/** 10 ms for a step that decodes, and 1 ms for each token that is read. */
const stepTime = stepTimeOf({
  overheadMs: 0,
  headMs: 0,
  linear: { kind: 'rates', decodeMs: 10, prefillMsPerToken: 1 },
  decodeMs: 0,
  decodeMsPerContextToken: 0,
  prefillMs: 0,
  prefillMsPerTokenPair: 0,
})

/** Drives an engine and writes down what happens, as a log one could read aloud. */
function engine(behaviour: EngineBehaviour, options: Partial<BatchSchedulerOptions> = {}) {
  const scheduler = new BatchScheduler({
    stepTime,
    seats: 4,
    kvTokens: 1600,
    behaviour,
    ...options,
  })
  const log: string[] = []
  const runUntil = (untilMs: number) => {
    while (scheduler.stepDueMs <= untilMs && Number.isFinite(scheduler.stepDueMs)) {
      const { endMs, firstTokens, finished, preempted, failed } = scheduler.runStep()
      for (const id of firstTokens) log.push(`${endMs} first ${id}`)
      for (const id of finished) log.push(`${endMs} done ${id}`)
      for (const id of preempted) log.push(`${endMs} preempted ${id}`)
      for (const id of failed) log.push(`${endMs} failed ${id}`)
    }
  }
  let nextId = 0
  const submit = (
    atMs: number,
    promptTokens: number,
    outputTokens: number,
    hashes: readonly number[] = [],
  ) => {
    runUntil(atMs)
    nextId += 1
    const prefix = { hashes, blockTokens: 16, tokens: hashes.length * 16 }
    scheduler.submit({ id: nextId, promptTokens, outputTokens, prefix }, atMs)
    return nextId
  }
  return { scheduler, log, submit, runUntil, run: () => runUntil(Number.POSITIVE_INFINITY) }
}

const vllm = { kind: 'vllm', batchTokens: 100 } as const

test('the first token comes when the last chunk is read, the others one a step', () => {
  const { log, submit, run } = engine(vllm)
  submit(0, 250, 3)
  run()
  // Three chunks: 100, 100 and 50 tokens. Two more tokens follow.
  expect(log).toEqual(['250 first 1', '270 done 1'])
})

test('a prompt shares its steps with those that decode, and they feel each of its chunks', () => {
  const { log, submit, run } = engine(vllm)
  submit(0, 10, 4)
  submit(15, 150, 1)
  run()
  // 10: the first token of 1. 20: its second. Then 99 tokens of 2 beside one of 1 take 109 ms.
  expect(log).toEqual(['10 first 1', '190 first 2', '190 done 1', '190 done 2'])
})

test('whoever comes while a step is under way waits for its end', () => {
  const { log, submit, run } = engine(vllm)
  submit(0, 100, 1)
  submit(1, 5, 1)
  run()
  expect(log).toEqual(['100 first 1', '100 done 1', '105 first 2', '105 done 2'])
})

test('seats are given in order of arrival', () => {
  const { log, scheduler, submit, run } = engine(vllm, { seats: 1 })
  submit(0, 10, 2)
  submit(1, 10, 2)
  submit(2, 10, 2)
  expect(scheduler.load(2)).toMatchObject({ running: 1, waiting: 2 })
  run()
  expect(log.filter((line) => line.includes('done'))).toEqual([
    '20 done 1',
    '40 done 2',
    '60 done 3',
  ])
})

test('the newest gives way when blocks run out, and goes on where it was', () => {
  // Six blocks of 16: two sequences of 40 tokens hold three each, until one needs a fourth.
  const { log, scheduler, submit, run } = engine(vllm, { kvTokens: 96 })
  submit(0, 40, 20)
  submit(0.5, 40, 20)
  run()
  expect(log).toEqual([
    '40 first 1',
    '90 first 2',
    '160 preempted 2',
    '270 done 1',
    // 40 of the prompt and eight that it wrote are read again; eleven more follow the ninth.
    '428 done 2',
  ])
  expect(scheduler.load(500)).toMatchObject({ preemptionsTotal: 1, kvUsedTokens: 0 })
})

test('a prefix that another one computed is skipped, but for the last token of a prompt', () => {
  const { log, scheduler, submit, run } = engine(vllm)
  submit(0, 32, 1, [1, 2])
  submit(100, 32, 1, [1, 2])
  submit(200, 48, 1, [1, 2, 3])
  run()
  expect(log).toEqual([
    '32 first 1',
    '32 done 1',
    // All 32 are known; the last block is computed again, so that there is something to compute.
    '116 first 2',
    '116 done 2',
    '216 first 3',
    '216 done 3',
  ])
  expect(scheduler.load(300)).toMatchObject({
    prefixQueriedTokensTotal: 112,
    prefixHitTokensTotal: 48,
    kvUsedTokens: 0,
    kvCachedTokens: 48,
  })
})

test('what was written is known to the next turn of a conversation', () => {
  const { scheduler, submit, run } = engine(vllm)
  submit(0, 32, 17, [1, 2, 3])
  submit(1000, 64, 1, [1, 2, 3, 4])
  run()
  expect(scheduler.load(2000).prefixHitTokensTotal).toBe(48)
})

test('cached blocks go when there is need of them, the oldest first', () => {
  const { scheduler, submit, run } = engine(vllm, { kvTokens: 160 })
  submit(0, 64, 1, [1, 2, 3, 4])
  submit(100, 64, 1, [5, 6, 7, 8])
  submit(200, 64, 1, [9, 10, 11, 12])
  submit(300, 64, 1, [5, 6, 7, 8])
  run()
  const { kvCachedTokens, prefixHitTokensTotal } = scheduler.load(1000)
  expect(kvCachedTokens).toBeLessThanOrEqual(160)
  // All of the second is still there; its last block is computed again all the same.
  expect(prefixHitTokensTotal).toBe(48)
})

test('a prompt that is longer than a sequence may be is refused, an answer is cut', () => {
  const { scheduler, log, run } = engine(vllm, { contextTokens: 50 })
  expect(scheduler.submit({ id: 1, promptTokens: 50, outputTokens: 1 }, 0)).toBe(false)
  expect(scheduler.submit({ id: 2, promptTokens: 48, outputTokens: 9 }, 0)).toBe(true)
  run()
  expect(log).toEqual(['48 first 2', '58 done 2'])
})

test('without tokens to write, a request ends when its prompt is read', () => {
  const { log, submit, run } = engine(vllm)
  submit(0, 30, 0)
  run()
  expect(log).toEqual(['30 done 1'])
})

const sglang = { kind: 'sglang', batchTokens: 100 } as const

test('SGLang reads prompts before it decodes, so that a burst holds up who is running', () => {
  const { log, submit, run } = engine(sglang, { kvTokens: 100_000 })
  submit(0, 10, 3)
  submit(1, 90, 1)
  submit(20, 200, 1)
  run()
  // After its first token at 10, nobody decodes until the other prompts are read at 300.
  expect(log).toEqual([
    '10 first 1',
    '100 first 2',
    '100 done 2',
    '300 first 3',
    '300 done 3',
    '320 done 1',
  ])
})

test('SGLang in mixed mode decodes along with the prompts', () => {
  const behaviour = { ...sglang, mixesDecodes: true }
  const { log, submit, run } = engine(behaviour, { kvTokens: 100_000 })
  submit(0, 10, 3)
  submit(1, 90, 1)
  submit(20, 200, 1)
  run()
  expect(log[1]).toBe('110 first 2')
  expect(log).toContain('219 done 1')
})

test('SGLang keeps room for what may still be written, as far as it is told', () => {
  const { scheduler } = engine(sglang, { kvTokens: 1000 })
  scheduler.submit({ id: 1, promptTokens: 100, outputTokens: 10, maxOutputTokens: 800 }, 0)
  scheduler.submit({ id: 2, promptTokens: 100, outputTokens: 10, maxOutputTokens: 800 }, 0)
  scheduler.runStep()
  // 100 tokens are in use and 560 of 800 are kept: 900 more do not fit.
  expect(scheduler.load(100)).toMatchObject({ running: 1, waiting: 1 })
})

test('SGLang retracts those that have written least', () => {
  // Careless: it keeps hardly any room for what those that run may still write.
  const behaviour = { ...sglang, conservativeness: 0.05 }
  const { log, submit, run } = engine(behaviour, { kvTokens: 130, contextTokens: 81 })
  submit(0, 20, 60)
  submit(100, 20, 60)
  run()
  expect(log.filter((line) => line.includes('preempted'))).toEqual([expect.stringContaining(' 2')])
  expect(log.filter((line) => line.includes('done'))).toHaveLength(2)
})

const llamaServer = { kind: 'llama-server', batchTokens: 100 } as const

test('llama-server splits its context among its slots', () => {
  const { scheduler } = engine(llamaServer, { kvTokens: 400, seats: 4 })
  expect(scheduler.contextTokens).toBe(100)
  expect(scheduler.submit({ id: 1, promptTokens: 100, outputTokens: 1 }, 0)).toBe(false)
})

test('llama-server gives a prompt the slot that has most of it, else the one idle longest', () => {
  const { scheduler, submit, runUntil } = engine(llamaServer, { seats: 2 })
  submit(0, 64, 1, [1, 2, 3, 4])
  submit(100, 64, 1, [5, 6, 7, 8])
  const again = submit(200, 80, 5, [1, 2, 3, 4, 9])
  runUntil(220)
  expect(scheduler.progress(again)).toMatchObject({ slot: 0, hitTokens: 64 })
  const other = submit(300, 64, 5, [11, 12, 13, 14])
  runUntil(301)
  expect(scheduler.progress(other)).toMatchObject({ slot: 1, hitTokens: 0 })
})

test('a shared cache of llama-server that runs out ends every running request', () => {
  const behaviour = { ...llamaServer, unifiedKv: true } as const
  const { log, submit, run, scheduler } = engine(behaviour, { kvTokens: 100, seats: 2 })
  submit(0, 40, 30)
  submit(0, 40, 30)
  submit(1, 40, 2)
  run()
  expect(log.filter((line) => line.includes('failed'))).toHaveLength(2)
  expect(log.at(-1)).toContain('done 3')
  expect(scheduler.load(9999)).toMatchObject({ failedTotal: 2, finishedTotal: 1, kvUsedTokens: 0 })
})

test('a batch of llama-server larger than its micro-batch takes several passes', () => {
  const stepsOf = { overheadMs: 5, headMs: 0, decodeMs: 0, prefillMs: 0 }
  const perPass = stepTimeOf({
    ...stepsOf,
    linear: { kind: 'rates', decodeMs: 0, prefillMsPerToken: 1 },
    decodeMsPerContextToken: 0,
    prefillMsPerTokenPair: 0,
  })
  const behaviour = { kind: 'llama-server', batchTokens: 100, microBatchTokens: 40 } as const
  const { log, submit, run } = engine(behaviour, { stepTime: perPass })
  submit(0, 100, 1)
  run()
  expect(log[0]).toBe('115 first 1')
})

test('a request that is cancelled leaves at once, and what it held with it', () => {
  const { scheduler, log, submit, run, runUntil } = engine(vllm)
  const first = submit(0, 32, 50)
  const second = submit(1, 32, 2)
  runUntil(100)
  expect(scheduler.cancel(first, 105)).toBe(true)
  expect(scheduler.cancel(first, 105)).toBe(false)
  expect(scheduler.load(105)).toMatchObject({ running: 0, kvUsedTokens: 0, cancelledTotal: 1 })
  run()
  expect(log).toEqual(['32 first 1', '74 first 2', '84 done 2'])
  expect(second).toBe(2)
})

test('a look at the load in the middle of many steps sees those that are over', () => {
  const { scheduler, submit, runUntil } = engine(vllm)
  submit(0, 16, 100)
  runUntil(16)
  expect(scheduler.stepDueMs).toBe(16 + 990)
  expect(scheduler.load(16 + 55)).toMatchObject({ outputTokensTotal: 6, stepsTotal: 6 })
  expect(scheduler.outputTokens(1, 16 + 55)).toBe(6)
  // 16 of the prompt and five written, and the step under way has its token's place: two blocks.
  expect(scheduler.load(16 + 55).kvUsedTokens).toBe(32)
  expect(scheduler.load(16 + 175).kvUsedTokens).toBe(48)
})
