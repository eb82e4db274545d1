import assert from 'node:assert/strict'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchScheduler } from '#batching/batch-scheduler.ts'
import type { EngineBehaviour } from '#batching/policies/behaviour.ts'
import { type StepTime, stepTimeOf } from '#batching/step-time.ts'

const stepTime = stepTimeOf({
  overheadMs: 0.5,
  headMs: 0.8,
  linear: { kind: 'soft-max', weightsMs: 16.2, baseMs: 5.2, msPerToken: 0.088 },
  decodeMs: 0.4,
  decodeMsPerContextToken: 0.00015,
  prefillMs: 0.9,
  prefillMsPerTokenPair: 0.000004,
})

const behaviours: readonly EngineBehaviour[] = [
  { kind: 'vllm', batchTokens: 64 },
  { kind: 'vllm', batchTokens: 64, wholePromptMustFit: false },
  { kind: 'sglang', batchTokens: 64, conservativeness: 0.2 },
  { kind: 'sglang', batchTokens: 64, mixesDecodes: true, conservativeness: 0.2 },
  { kind: 'llama-server', batchTokens: 64, microBatchTokens: 16 },
  { kind: 'llama-server', batchTokens: 64, unifiedKv: true, whenFull: 'recompute' },
  { kind: 'llama-server', batchTokens: 64, unifiedKv: true, whenFull: 'fail' },
]

interface Arrival {
  readonly atMs: number
  readonly promptTokens: number
  readonly outputTokens: number
  readonly conversation: number
  /** How long after its arrival the client leaves; null when it stays. */
  readonly leavesAfterMs: number | null
}

const arrivals = fc.array(
  fc.record({
    // Moments that no step ends at: which of the two comes first is left to the caller.
    atMs: fc.integer({ min: 0, max: 1500 }).map((ms) => ms + Math.PI / 7),
    promptTokens: fc.integer({ min: 1, max: 300 }),
    outputTokens: fc.integer({ min: 0, max: 60 }),
    conversation: fc.integer({ min: 0, max: 4 }),
    leavesAfterMs: fc.option(fc.integer({ min: 0, max: 2000 }), { freq: 4 }),
  }),
  { minLength: 1, maxLength: 40 },
)

/** The same conversation has the same blocks; longer prompts of it have more of them. */
function prefixOf({ conversation, promptTokens, outputTokens }: Arrival) {
  const count = Math.floor((promptTokens + outputTokens) / 16)
  return {
    hashes: Array.from({ length: count }, (_, at) => conversation * 1000 + at),
    blockTokens: 16,
    tokens: count * 16,
  }
}

type Happening = readonly [kind: 'first' | 'done' | 'failed', id: number, atMs: number]

interface Run {
  readonly scheduler: BatchScheduler
  readonly happenings: readonly Happening[]
  /** How many tokens each request that is over had been given. */
  readonly tokens: ReadonlyMap<number, number>
  readonly cancelled: ReadonlySet<number>
  readonly refused: ReadonlySet<number>
}

/** Lives through arrivals and departures, and looks at the counts after every step. */
function live(
  behaviour: EngineBehaviour,
  list: readonly Arrival[],
  { stepsAtOnce, prefixes = true }: { stepsAtOnce: number; prefixes?: boolean },
): Run {
  const scheduler = new BatchScheduler({
    stepTime,
    seats: 5,
    kvTokens: 480,
    behaviour,
    stepsAtOnce,
  })
  const happenings: Happening[] = []
  const tokens = new Map<number, number>()
  const cancelled = new Set<number>()
  const refused = new Set<number>()
  let nowMs = 0
  const runUntil = (untilMs: number) => {
    while (scheduler.stepDueMs <= untilMs && Number.isFinite(scheduler.stepDueMs)) {
      const { startMs, endMs, steps, firstTokens, finished, failed } = scheduler.runStep()
      assert(startMs < endMs && nowMs <= endMs && steps >= 1, 'time goes on')
      nowMs = endMs
      for (const id of firstTokens) happenings.push(['first', id, endMs])
      for (const id of finished) happenings.push(['done', id, endMs])
      for (const id of failed) happenings.push(['failed', id, endMs])
      const { kvUsedTokens, kvCachedTokens, kvTokens, running } = scheduler.load(nowMs)
      assert(kvUsedTokens >= 0 && kvCachedTokens >= 0, 'no block is given back twice')
      assert(kvUsedTokens + kvCachedTokens <= kvTokens, 'no block is promised twice')
      assert(running <= 5, 'no seat is promised twice')
    }
  }
  const moments = list
    .flatMap((arrival, id) => [
      { atMs: arrival.atMs, id, arrives: true },
      ...(arrival.leavesAfterMs === null
        ? []
        : [{ atMs: arrival.atMs + arrival.leavesAfterMs, id, arrives: false }]),
    ])
    .sort((a, b) => a.atMs - b.atMs || a.id - b.id || Number(b.arrives) - Number(a.arrives))
  for (const { atMs, id, arrives } of moments) {
    runUntil(atMs)
    nowMs = Math.max(nowMs, atMs)
    if (arrives) {
      const arrival = list[id]!
      const { promptTokens, outputTokens } = arrival
      const prefix = prefixes ? { prefix: prefixOf(arrival) } : {}
      if (!scheduler.submit({ id, promptTokens, outputTokens, ...prefix }, atMs)) refused.add(id)
    } else {
      tokens.set(id, scheduler.outputTokens(id, atMs))
      if (scheduler.cancel(id, atMs)) cancelled.add(id)
    }
  }
  runUntil(Number.POSITIVE_INFINITY)
  return { scheduler, happenings, tokens, cancelled, refused }
}

test.each(behaviours)('every request is over once, and nothing is left: %j', (behaviour) => {
  fc.assert(
    fc.property(arrivals, (list) => {
      const { scheduler, happenings, tokens, cancelled, refused } = live(behaviour, list, {
        stepsAtOnce: Number.POSITIVE_INFINITY,
      })
      const ended = happenings.filter(([kind]) => kind !== 'first')
      const ends = [...ended.map(([, id]) => id), ...cancelled, ...refused]
      expect(ends.sort((a, b) => a - b)).toEqual([...list.keys()])
      const firsts = happenings.filter(([kind]) => kind === 'first').map(([, id]) => id)
      expect(new Set(firsts).size).toBe(firsts.length)
      const load = scheduler.load(Number.MAX_SAFE_INTEGER)
      expect(load).toMatchObject({ running: 0, waiting: 0, decoding: 0, kvUsedTokens: 0 })
      // Exactly its tokens: all that were written are those of the finished and of the others
      // until they left. An engine that fails requests does not say how far they were.
      const fails = ended.some(([kind]) => kind === 'failed')
      let expected = 0
      for (const [kind, id] of ended) {
        const { promptTokens, outputTokens } = list[id]!
        if (kind !== 'done') continue
        expected += Math.min(outputTokens, scheduler.contextTokens - promptTokens)
      }
      for (const id of cancelled) expected += tokens.get(id)!
      if (!fails) expect(load.outputTokensTotal).toBe(expected)
    }),
    { numRuns: 60 },
  )
})

/** Times of steps that are summed one by one differ from those of a formula by roundings. */
const rounded = (happenings: readonly Happening[]) =>
  happenings.map(([kind, id, atMs]) => `${kind} ${id} at ${atMs.toFixed(4)}`)

test.each(behaviours)('steps taken together are the steps taken one by one: %j', (behaviour) => {
  fc.assert(
    fc.property(arrivals, (list) => {
      const together = live(behaviour, list, { stepsAtOnce: Number.POSITIVE_INFINITY })
      const single = live(behaviour, list, { stepsAtOnce: 1 })
      expect(rounded(together.happenings)).toEqual(rounded(single.happenings))
      const { busyMsTotal, ...load } = together.scheduler.load(1e9)
      const { busyMsTotal: singleBusyMsTotal, ...singleLoad } = single.scheduler.load(1e9)
      expect(load).toEqual(singleLoad)
      expect(busyMsTotal).toBeCloseTo(singleBusyMsTotal, 4)
    }),
    { numRuns: 60 },
  )
})

test.each(behaviours)('the same requests at the same times go the same way: %j', (behaviour) => {
  fc.assert(
    fc.property(arrivals, (list) => {
      const options = { stepsAtOnce: 7 }
      expect(live(behaviour, list, options).happenings).toEqual(
        live(behaviour, list, options).happenings,
      )
    }),
    { numRuns: 30 },
  )
})

/**
 * vLLM's scheduler written out the long way: every sequence is looked at in every step, and takes
 * its blocks one by one. What the sums and ticks of the real one must come to.
 */
function referenceVllm(list: readonly Arrival[], time: StepTime): Happening[] {
  const [seats, blockTokens, totalBlocks, batchTokens] = [5, 16, 30, 64]
  interface One {
    readonly id: number
    readonly promptTokens: number
    readonly outputTokens: number
    computed: number
    written: number
    blocks: number
    decodes: boolean
  }
  const happenings: Happening[] = []
  const running: One[] = []
  const waiting: One[] = []
  const coming = list
    .map(({ atMs, promptTokens, outputTokens }, id) => ({ id, atMs, promptTokens, outputTokens }))
    .filter(({ promptTokens }) => promptTokens < totalBlocks * blockTokens)
    .sort((a, b) => a.atMs - b.atMs || a.id - b.id)
  let free = totalBlocks
  let nowMs = 0
  const join = () => {
    const { id, promptTokens, outputTokens } = coming.shift()!
    const cut = Math.min(outputTokens, totalBlocks * blockTokens - promptTokens)
    const nothing = { computed: 0, written: 0, blocks: 0, decodes: false }
    waiting.push({ id, promptTokens, outputTokens: cut, ...nothing })
  }
  const take = (one: One, tokens: number): boolean => {
    const missing = Math.ceil((one.computed + tokens) / blockTokens) - one.blocks
    if (missing > free) return false
    free -= missing
    one.blocks += missing
    return true
  }
  const giveBack = (one: One) => {
    free += one.blocks
    one.blocks = 0
    one.computed = 0
    one.decodes = false
  }
  for (;;) {
    while (coming.length > 0 && coming[0]!.atMs <= nowMs) join()
    if (running.length === 0 && waiting.length === 0) {
      if (coming.length === 0) return happenings
      // One that finds the engine idle starts it at once, before any other comes.
      nowMs = coming[0]!.atMs
      join()
    }
    const planned = new Map<One, number>()
    let budget = batchTokens
    let preempted = false
    for (let at = 0; at < running.length && budget > 0; at += 1) {
      const one = running[at]!
      const tokens = Math.min(budget, one.promptTokens + one.written - one.computed)
      while (running.includes(one) && !take(one, tokens)) {
        const newest = running.pop()!
        budget += planned.get(newest) ?? 0
        planned.delete(newest)
        giveBack(newest)
        waiting.unshift(newest)
        preempted = true
      }
      if (!running.includes(one)) break
      planned.set(one, tokens)
      budget -= tokens
    }
    while (!preempted && waiting.length > 0 && budget > 0 && running.length < seats) {
      const one = waiting[0]!
      const whole = one.promptTokens + one.written
      if (Math.ceil(whole / blockTokens) > free) break
      const tokens = Math.min(budget, whole)
      if (!take(one, tokens)) break
      running.push(waiting.shift()!)
      planned.set(one, tokens)
      budget -= tokens
    }
    let decodes = 0
    let decodeContextTokens = 0
    let prefillTokens = 0
    let prefillTokenPairs = 0
    for (const [one, tokens] of planned) {
      if (one.decodes) {
        decodes += 1
        decodeContextTokens += one.computed + 1
      } else {
        prefillTokens += tokens
        prefillTokenPairs += tokens * (one.computed + tokens / 2)
      }
    }
    nowMs += time({ decodes, decodeContextTokens, prefillTokens, prefillTokenPairs })
    for (const [one, tokens] of planned) {
      one.computed += tokens
      if (one.computed < one.promptTokens + one.written) continue
      one.decodes = true
      if (one.outputTokens > 0) {
        if (one.written === 0) happenings.push(['first', one.id, nowMs])
        one.written += 1
      }
      if (one.written < one.outputTokens) continue
      happenings.push(['done', one.id, nowMs])
      giveBack(one)
      running.splice(running.indexOf(one), 1)
    }
  }
}

test('sums and ticks come to what the long way comes to', () => {
  fc.assert(
    fc.property(arrivals, (list) => {
      const staying = list.map((one) => ({ ...one, leavesAfterMs: null }))
      const { happenings } = live({ kind: 'vllm', batchTokens: 64 }, staying, {
        stepsAtOnce: Number.POSITIVE_INFINITY,
        prefixes: false,
      })
      const sort = (all: readonly Happening[]) => rounded(all).sort()
      expect(sort(happenings)).toEqual(sort(referenceVllm(staying, stepTime)))
    }),
    { numRuns: 150 },
  )
})
