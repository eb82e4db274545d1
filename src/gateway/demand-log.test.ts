import { expect, test } from 'vitest'
import { modelName } from '#core/ids.ts'
import { DemandLog } from '#gateway/demand-log.ts'
import type { Exchange } from '#gateway/exchange.ts'

const model = modelName('chat')

const exchanges = (inFlight: number, waiting: number) =>
  Array.from(
    { length: inFlight + waiting },
    (_, index) =>
      ({
        asked: { model },
        attemptsBegun: index < inFlight ? 1 : 0,
        startedMs: 1_000,
      }) as unknown as Exchange,
  )

function expectedWaitMs(inFlight: number, waiting: number, ...answersMs: readonly number[]) {
  const log = new DemandLog()
  log.note(model, 1_000)
  for (const ms of answersMs) log.noteAnswer(model, ms)
  return log.demand(exchanges(inFlight, waiting), 2_000)[0]?.expectedWaitMs
}

test('eight who wait behind four answers of 3 s each are a wait of 6 s', () => {
  expect(expectedWaitMs(4, 8, 3_000, 3_000)).toBe(6_000)
})

test('nobody waits: nor would whoever comes next', () => {
  expect(expectedWaitMs(4, 0, 3_000)).toBe(0)
})

test('without an answer yet, or with nothing under way, nobody can tell', () => {
  expect(expectedWaitMs(4, 8)).toBeNull()
  expect(expectedWaitMs(0, 8, 3_000)).toBeNull()
})

test('an answer for a model that nobody has asked for here is not kept', () => {
  const log = new DemandLog()
  log.noteAnswer(model, 3_000)
  log.note(model, 1_000)
  expect(log.demand(exchanges(1, 1), 2_000)[0]?.expectedWaitMs).toBeNull()
})
