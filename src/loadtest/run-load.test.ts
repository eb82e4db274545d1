import { expect, test } from 'vitest'
import type { Arrival } from '#loadtest/arrival.ts'
import { type LoadOptions, runLoad } from '#loadtest/run-load.ts'
import type { Sample } from '#loadtest/sample.ts'
import { HeldClock } from '#testing/held-clock.ts'

function arrivalsAt(...times: readonly number[]): Arrival[] {
  return times.map((atMs) => ({ atMs, promptTokens: 1, outputTokens: 1, phase: 'p' }))
}

/** Requests end when the test says so. */
function began(arrivals: readonly Arrival[], more: Partial<LoadOptions> = {}) {
  const clock = new HeldClock()
  const startMs = clock.nowMs()
  const sent: { readonly atMs: number; readonly end: () => void }[] = []
  const stop = new AbortController()
  const run = runLoad({
    arrivals,
    clock,
    maxInFlight: 100,
    signal: stop.signal,
    onProgress: () => {},
    send: ({ atMs: dueMs, phase }) =>
      new Promise((resolve) => {
        const sample: Sample = {
          phase,
          dueMs,
          outcome: { kind: 'answered' },
          ttftMs: 1,
          tpotMs: null,
          endToEndMs: 1,
          promptTokens: 1,
          completionTokens: 1,
          endpoint: null,
        }
        sent.push({ atMs: clock.nowMs() - startMs, end: () => resolve(sample) })
      }),
    ...more,
  })
  return { clock, sent, run, stop }
}

/** What a resolved promise does next. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
}

test('requests go out when they are due, whether or not earlier ones were answered', async () => {
  const { clock, sent, run } = began(arrivalsAt(0, 1_000, 1_000, 4_000))
  clock.pass(10_000)
  expect(sent.map(({ atMs }) => atMs)).toEqual([0, 1_000, 1_000, 4_000])
  for (const { end } of sent) end()
  await expect(run).resolves.toMatchObject({ lateRequests: 0, durationMs: 10_000, stopped: false })
})

test('no more are under way than allowed, and those held back count as late', async () => {
  const { clock, sent, run } = began(arrivalsAt(0, 100, 200), { maxInFlight: 1 })
  clock.pass(1_000)
  expect(sent).toHaveLength(1)
  for (const index of [0, 1, 2]) {
    sent[index]?.end()
    await settle()
  }
  const { samples, ...late } = await run
  expect({ answered: samples.length, ...late }).toMatchObject({
    ...{ answered: 3, lateRequests: 2, heldRequests: 2, lateMsMax: 900 },
  })
})

test('a process that is busy sends late, and nothing was held back', async () => {
  const { clock, sent, run } = began(arrivalsAt(0, 100, 130))
  clock.stall(300)
  for (const { end } of sent) end()
  await expect(run).resolves.toMatchObject({ lateRequests: 2, heldRequests: 0, lateMsMax: 200 })
})

test('a load that is stopped tells what was answered until then', async () => {
  const { clock, sent, run, stop } = began(arrivalsAt(0, 500, 5_000))
  clock.pass(1_000)
  sent[0]?.end()
  await settle()
  stop.abort()
  sent[1]?.end()
  const { samples, stopped } = await run
  expect({ samples: samples.length, stopped }).toEqual({ samples: 2, stopped: true })
})

test('an empty load is over at once', async () => {
  await expect(began([]).run).resolves.toMatchObject({ samples: [], stopped: false })
})

test('a load that is stopped before it begins sends nothing and is over', async () => {
  const { sent, run } = began(arrivalsAt(0, 500), { signal: AbortSignal.abort() })
  await expect(run).resolves.toMatchObject({ samples: [], stopped: true })
  expect(sent).toEqual([])
})
