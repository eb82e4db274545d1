import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RepeatedLook } from '#agent/repeated-look.ts'
import { HeldClock } from '#testing/held-clock.ts'

function looking() {
  const clock = new HeldClock()
  const seen: number[] = []
  const started = clock.nowMs()
  const looks = new RepeatedLook({
    clock,
    everyMs: 300_000,
    soonMs: 2_000,
    look: async () => {},
    onSeen: () => seen.push(clock.nowMs() - started),
  })
  looks.later()
  const pass = async (ms: number) => {
    clock.pass(ms)
    await setImmediate()
  }
  return { looks, seen, pass, clock }
}

test('it looks again after a while', async () => {
  const { seen, pass } = looking()
  await pass(300_000)
  await pass(300_000)
  expect(seen).toEqual([300_000, 600_000])
})

test('several reasons make one look soon, and the usual ones go on', async () => {
  const { looks, seen, pass } = looking()
  looks.soon()
  await pass(1_000)
  looks.soon()
  await pass(1_000)
  expect(seen).toEqual([2_000])
  await pass(300_000)
  expect(seen).toEqual([2_000, 302_000])
})

test('a reason that comes while it looks makes another look', async () => {
  const { looks, seen, pass, clock } = looking()
  looks.soon()
  clock.pass(2_000)
  looks.soon()
  await setImmediate()
  await pass(2_000)
  expect(seen).toEqual([2_000, 4_000])
})

test('nothing is looked at once it is closed', async () => {
  const { looks, seen, pass, clock } = looking()
  looks.soon()
  looks.close()
  await pass(600_000)
  expect(seen).toEqual([])
  expect(clock.dueInMs).toEqual([])
})
