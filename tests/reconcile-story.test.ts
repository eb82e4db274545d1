/** Nodes and controllers that are lost, drained and revoked, on virtual time. */
import { expect, test } from 'vitest'
import { revokeNode } from '#controller/node-joining.ts'
import { setDraining } from '#controller/replica-wishes.ts'
import { deployment } from '#testing/placement-input.ts'
import { apply, Story, wanted } from './harness/reconcile-story.ts'

const two = { min: 2, max: 2 }
const apart = { constraints: { ...deployment('x', 1).constraints, awayFrom: ['pair'] } }
const three = [
  wanted('big', 14),
  wanted('small', 3),
  wanted('pair', 2, { replicas: two, ...apart }),
] as const

/** Applied, settled, changed, drained and undone; returns how often it was written. */
async function wholeStory(killAt: number): Promise<Story> {
  const story = new Story('alpha', 'beta', 'gamma')
  story.killAt = killAt
  await apply(story, ...three)
  await story.pass(20)
  await apply(story, wanted('big', 14, { contextTokens: 4_096 }), ...three.slice(1))
  await story.pass(20)
  await story.attempt(() => setDraining(story.fleet, 'alpha', true))
  await story.pass(20)
  await story.attempt(() => setDraining(story.fleet, 'alpha', false))
  await story.pass(20)
  return story
}

function everythingAnswers(story: Story): void {
  expect(story.isSettled).toBe(true)
  expect(story.answering('big')).toHaveLength(1)
  expect(story.answering('small')).toHaveLength(1)
  expect(new Set(story.answering('pair')).size).toBe(2)
  expect(story.answering('pair')).toHaveLength(2)
}

test('killed after any write, the controller is followed by one that comes to the same', async () => {
  const whole = await wholeStory(Number.POSITIVE_INFINITY)
  everythingAnswers(whole)
  expect(whole.writes).toBeGreaterThan(15)
  for (let killAt = 1; killAt <= whole.writes; killAt += 1) {
    const story = await wholeStory(killAt)
    // What was being asked for when it died was not acknowledged: it is asked for again.
    await story.attempt(() => setDraining(story.fleet, 'alpha', false))
    await apply(story, wanted('big', 14, { contextTokens: 4_096 }), ...three.slice(1))
    await story.pass(20)
    everythingAnswers(story)
  }
}, 120_000)

test('a node is made up for 120 s after its last word, and not before', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const [victim = ''] = story.answering('big')
  story.silence(victim)
  await story.pass(118)
  expect(story.answering('big')).toEqual([])
  await story.pass(10)
  expect(story.answering('big')).toHaveLength(1)
  expect(story.answering('big')).not.toContain(victim)

  // It comes back with what it ran: one of the two goes, and everything is as it was wanted.
  story.machine(victim).isUp = true
  story.connect(victim)
  await story.pass(30)
  everythingAnswers(story)
})

test('while most nodes are lost nothing is stopped or moved, and then all goes on', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const before = () => [...story.machines.values()].map(({ desired }) => [...desired].sort())
  const told = before()
  story.silence('alpha', 'beta')
  await story.pass(600, () => expect(before()).toEqual(told))
  for (const name of ['alpha', 'beta']) {
    story.machine(name).isUp = true
    story.connect(name)
  }
  await story.pass(30)
  expect(before()).toEqual(told)
  everythingAnswers(story)
})

test('most nodes lost in the middle of a move: what still answers is not stopped', async () => {
  for (let after = 1; after <= 8; after += 1) {
    const story = new Story('alpha', 'beta', 'gamma', 'delta')
    await apply(story, wanted('big', 10))
    await story.pass(20)
    const [from = ''] = story.answering('big')
    await story.attempt(() => setDraining(story.fleet, from, true))
    await story.pass(after)
    const isDone = story.isSettled
    const holder = [...story.machines].find(
      ([name, { desired }]) => name !== from && desired.length > 0,
    )
    const others = [...story.machines.keys()].filter(
      (name) => name !== from && name !== holder?.[0],
    )
    // All but the one it leaves: three of four.
    story.silence(...others, ...(holder === undefined ? [] : [holder[0]]))
    await story.pass(300)
    if (!isDone) expect(story.answering('big')).toContain(from)
  }
})

test('a plan of before most nodes were lost stops nothing, though there is no newer one yet', async () => {
  const story = new Story('alpha', 'beta', 'gamma', 'delta', 'epsilon')
  await apply(story, wanted('big', 10))
  await story.pass(20)
  const [from = ''] = story.answering('big')
  const others = [...story.machines.keys()].filter((name) => name !== from)
  story.silence(...others.slice(0, 3))
  await story.pass(57)
  await story.attempt(() => setDraining(story.fleet, from, true))
  await story.pass(2)
  expect(story.isSettled).toBe(false)
  story.plansNoMore = true
  await story.pass(20)
  expect(story.answering('big')).toEqual(expect.arrayContaining([from, others[3]]))
})

test('a node that is revoked is made up for at once', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const [victim = ''] = story.answering('big')
  await story.attempt(() => revokeNode(story.fleet, victim))
  await story.pass(8)
  expect(story.machine(victim).desired).toEqual([])
  everythingAnswers(story)
})

test('a node that drains and is used again, over and over, never leaves a deployment without', async () => {
  for (const everySeconds of [1, 2, 3, 5]) {
    const story = new Story('alpha', 'beta', 'gamma')
    await apply(story, ...three)
    await story.pass(20)
    const [victim = ''] = story.answering('big')
    const isThere = () => {
      for (const name of ['big', 'small']) expect(story.answering(name)).not.toEqual([])
      expect(story.answering('pair').length).toBeGreaterThanOrEqual(1)
    }
    for (let turn = 0; turn < 20; turn += 1) {
      await story.attempt(() => setDraining(story.fleet, victim, turn % 2 === 0))
      await story.pass(everySeconds, isThere)
    }
    await story.pass(30, isThere)
    everythingAnswers(story)
  }
})

test('a node lost in the middle of its drain: what was on its way comes, what it had is made up for', async () => {
  for (let after = 1; after <= 6; after += 1) {
    const story = new Story('alpha', 'beta', 'gamma')
    await apply(story, ...three)
    await story.pass(20)
    const [victim = ''] = story.answering('big')
    await story.attempt(() => setDraining(story.fleet, victim, true))
    await story.pass(after)
    story.silence(victim)
    await story.pass(140)
    everythingAnswers(story)
    expect(story.answering('big')).not.toContain(victim)
  }
})
