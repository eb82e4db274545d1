/** Starts that fail, wherever and however often, and what others lose by them. */
import { expect, onTestFinished, test } from 'vitest'
import { retryStarts } from '#controller/deploying.ts'
import { Scaler } from '#controller/reconcile/scaler.ts'
import { apply, Story, wanted } from './harness/reconcile-story.ts'

test('who has mended what made a start fail has it tried again at once', async () => {
  const story = new Story('alpha')
  story.machine('alpha').doomed = 'doomed'
  await apply(story, wanted('doomed', 3))
  await story.pass(20)
  const scaler = new Scaler({
    fleet: story.fleet,
    demand: () => [],
    lastPlan: () => story.reconciler.lastPlan,
  })
  onTestFinished(() => scaler.close())
  const sleeping = scaler.sleeping('doomed')
  const [failure] = Object.values(story.fleet.state.failedStarts)
  // What a client is told to wait for is when the next start is tried, and no sooner.
  expect(sleeping?.state).toBe('no-place')
  expect(sleeping?.retryMs).toBe((failure?.untilMs ?? 0) - story.clock.nowMs())
  expect(sleeping?.retryMs).toBeGreaterThan(200_000)

  story.machine('alpha').doomed = null
  await story.pass(20)
  expect(story.answering('doomed')).toEqual([])
  expect(retryStarts(story.fleet, 'doomed')).toEqual({ nodes: ['alpha'] })
  await story.pass(10)
  expect(story.answering('doomed')).toEqual(['alpha'])
  expect(retryStarts(story.fleet, 'doomed')).toEqual({ nodes: [] })
  expect(() => retryStarts(story.fleet, 'other')).toThrow(
    'there is no deployment "other"; there is doomed',
  )
})

test('before it has ever run, waking is expected to take what weights, disk and network allow', async () => {
  const story = new Story('alpha')
  const asleep = wanted('asleep', 10, { replicas: { min: 0, max: 1 } })
  await apply(story, asleep)
  await story.pass(5)
  const scaler = new Scaler({ fleet: story.fleet, demand: () => [], lastPlan: () => null })
  onTestFinished(() => scaler.close())
  const bytes = asleep.variants[0]?.facts?.tensorBytes ?? 0
  expect(bytes).toBeGreaterThan(0)
  const expected = (bytes / 100e6 + bytes / 500e6) * 1_000 + 2_000
  expect(scaler.sleeping('asleep')).toMatchObject({
    state: 'asleep',
    expectedMs: Math.round(expected),
  })
})

test('a start that fails is one failure, and the next try waits twice as long', async () => {
  const story = new Story('alpha', 'beta')
  for (const machine of story.machines.values()) machine.doomed = 'doomed'
  await apply(story, wanted('one', 16), wanted('doomed', 3))
  await story.pass(3_600)
  const told = story.said.filter((line) => line.startsWith('doomed-0 does not come up on alpha'))
  const pauses = told.map((line) => Number(/for (\d+) min/.exec(line)?.[1]))
  expect(pauses).toEqual([5, 10, 20, 40].slice(0, pauses.length))
  expect(pauses.length).toBeGreaterThanOrEqual(3)
  expect(story.answering('one')).toHaveLength(1)
})

test('what dies wherever it is tried does not take the place of others every few minutes', async () => {
  const story = new Story('alpha', 'beta')
  for (const machine of story.machines.values()) machine.doomed = 'doomed'
  const others = [wanted('one', 16), wanted('two', 16)]
  await apply(story, ...others)
  await story.pass(20)
  await apply(story, ...others, wanted('doomed', 16, { priority: 'critical' }))
  let starts = 0
  let was: readonly string[] = []
  await story.pass(3_600, () => {
    const now = [...story.machines.values()].flatMap(({ desired }) => desired)
    if (now.includes('doomed-0') && !was.includes('doomed-0')) starts += 1
    was = now
  })
  expect(starts).toBeGreaterThanOrEqual(1)
  // One try at each of the two, and one more where the eviction was an earlier plan's.
  expect(starts).toBeLessThanOrEqual(4)
  expect(story.answering('one')).toHaveLength(1)
  expect(story.answering('two')).toHaveLength(1)
})
