/**
 * Deployments on real agents with real engines: what is applied comes to run, a node that dies is
 * made up for, one that returns disturbs nobody, and a drained one is left without a gap.
 */
import { expect, test } from 'vitest'
import type { Controller } from '#controller/controller.ts'
import type { ReplicaView } from '#controller/fleet-views.ts'
import { HurriedClock } from '#testing/hurried-clock.ts'
import { node, replicaWanted, temporaryFolder } from './harness/fleet-nodes.ts'
import { packageFile } from './harness/package-file.ts'
import { plannedController, wishes } from './harness/planned-controller.ts'
import { untilTrue } from './harness/until-true.ts'

const weights = packageFile('models/motley-tiny.gguf')

/** On two busy cores an engine takes seconds to start, and three are started at a time. */
const patienceMs = 60_000

const threeDeployments = `
models:
  tiny: { variants: [{ source: "file:${weights}" }] }
  small: { variants: [{ source: "file:${weights}" }] }
  little: { variants: [{ source: "file:${weights}" }] }
deployments:
  long: { model: tiny, context: 512, slots: 2, share: true, priority: high }
  short: { model: small, context: 128, slots: 1, share: true }
  pair: { model: little, context: 256, slots: 1, share: true, replicas: { min: 2, max: 2 }, constraints: { awayFrom: [pair] } }
`

const isReady = ({ reported, presence }: ReplicaView): boolean =>
  reported?.state === 'ready' && presence === 'ready'

/** Names of the nodes where each deployment answers. */
function answering(fleet: Controller): Record<string, string[]> {
  const ready = fleet.replicas().filter(isReady)
  const names = ['long', 'pair', 'short']
  return Object.fromEntries(
    names.map((name) => [
      name,
      ready
        .filter(({ placed }) => placed?.deployment === name)
        .map(({ nodeName }) => nodeName)
        .sort(),
    ]),
  )
}

function until(fleet: Controller, what: string, condition: () => boolean): Promise<number> {
  return untilTrue(what, condition, {
    withinMs: patienceMs,
    everyMs: 25,
    seen: () => ({
      plan: fleet.placement().plan,
      unplaced: fleet.plans()[0]?.unplaced,
      replicas: fleet.replicas().map(({ spec, nodeName, presence, reported }) => ({
        id: spec.id,
        nodeName,
        presence,
        state: reported?.state,
        detail: reported?.detail,
      })),
    }),
  })
}

test('three deployments come to run, and a node that dies is made up for', async () => {
  const clock = new HurriedClock()
  const fleet = await plannedController(clock)
  const names = ['alpha', 'beta', 'gamma']
  const folders = await Promise.all(names.map(() => temporaryFolder()))
  const nodes = await Promise.all(
    names.map((name, index) => node(fleet, name, { clock, directory: folders[index] as string })),
  )
  fleet.apply(wishes(threeDeployments))
  const isSettled = (): boolean => {
    const { long = [], short = [], pair = [] } = answering(fleet)
    return long.length === 1 && short.length === 1 && pair.length === 2
  }
  await until(fleet, 'all three answer', isSettled)
  const before = answering(fleet)
  expect(new Set(before['pair']).size).toBe(2)
  expect(fleet.placement().plan).toBeNull()

  // The node of one of the pair dies with all that runs there.
  const [victim = ''] = before['pair'] ?? []
  const index = names.indexOf(victim)
  await nodes[index]?.agent.closeAndStop()
  clock.hurry(20)
  const isMended = (): boolean => {
    const now = answering(fleet)
    return isSettled() && !Object.values(now).flat().includes(victim)
  }
  await until(fleet, 'the others have taken over', isMended)
  clock.hurry(1)
  const told = fleet.plans().find(({ because }) => because.includes(`${victim} is lost`))
  expect(told?.steps.map(({ step }) => step)).toContainEqual(expect.stringMatching(/^start pair/))

  // It comes back with what its records say, and nobody else is disturbed.
  const running = fleet.replicas().filter(isReady)
  const pids = new Map(running.map(({ spec, reported }) => [spec.id, reported?.pid]))
  nodes[index] = await node(fleet, victim, { clock, directory: folders[index] as string })
  await until(fleet, 'it is there again', () =>
    fleet.nodes().every(({ presence }) => presence === 'ready'),
  )
  await until(fleet, 'nothing is left to do', () => fleet.placement().plan === null && isSettled())
  for (const { spec, reported } of fleet.replicas()) {
    if (pids.has(spec.id)) expect(reported?.pid).toBe(pids.get(spec.id))
  }
}, 180_000)

test('a node that drains is left without a gap, and what was started by hand is not touched', async () => {
  const clock = new HurriedClock()
  const fleet = await plannedController(clock)
  const names = ['alpha', 'beta']
  await Promise.all(names.map((name) => node(fleet, name, { clock })))
  const text = `
models: { tiny: { variants: [{ source: "file:${weights}" }] } }
deployments: { long: { model: tiny, context: 512, slots: 2, share: true } }
`
  fleet.apply(wishes(text))
  await until(fleet, 'it answers', () => answering(fleet)['long']?.length === 1)
  const [drained = ''] = answering(fleet)['long'] ?? []
  const other = names.find((name) => name !== drained) ?? ''
  const { id } = fleet.startReplica(other, replicaWanted(`file:${weights}`, 'by-hand'))
  await until(fleet, 'the one by hand answers', () => fleet.replicas().filter(isReady).length === 2)
  const pid = fleet.replica(id).reported?.pid

  fleet.setDraining(drained, true)
  let gaps = 0
  await until(fleet, 'it has moved', () => {
    const there = answering(fleet)['long'] ?? []
    if (there.length === 0) gaps += 1
    return there.join() === other && fleet.replicas().every(({ nodeName }) => nodeName === other)
  })
  expect(gaps).toBe(0)
  expect(fleet.replica(id).reported).toMatchObject({ state: 'ready', pid })

  // Nothing is wanted any more: what was planned ends, and nothing else.
  fleet.apply(wishes('deployments: {}'))
  await until(fleet, 'only the one by hand is left', () => fleet.replicas().length === 1)
  expect(fleet.replica(id).reported).toMatchObject({ state: 'ready', pid })
}, 180_000)
