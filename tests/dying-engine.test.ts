/**
 * An engine that dies whenever it is started, planned like any other: its deployment goes where it
 * lives, if there is such a place, and says why it is not elsewhere; all others notice nothing.
 */
import { expect, test } from 'vitest'
import { deploymentWhyText, plansAnswer } from '#cli/deployment-why-text.ts'
import { searchLocally } from '#cli/local-planner.ts'
import { placementOf, questionOf } from '#cli/placement-question.ts'
import { planText } from '#cli/plan-text.ts'
import type { Controller } from '#controller/controller.ts'
import { HurriedClock } from '#testing/hurried-clock.ts'
import { node } from './harness/fleet-nodes.ts'
import { packageFile } from './harness/package-file.ts'
import { plannedController, wishes } from './harness/planned-controller.ts'
import { untilTrue } from './harness/until-true.ts'

const weights = packageFile('models/motley-tiny.gguf')

/** Says why and dies, as an engine whose GPU has fallen off the bus. */
const dying = {
  command: process.execPath,
  args: ['-e', 'console.error("the device is gone: no such adapter"); process.exit(7)', '--'],
  backends: { cpu: [] },
}

const model = (name: string) => `  ${name}: { variants: [{ source: "file:${weights}" }] }\n`
const deployment = (name: string, on: string) =>
  `  ${name}: { model: ${name}, context: 128, slots: 1, share: true, constraints: { nodes: [${on}] } }\n`

const onNodes = (fleet: Controller, name: string) =>
  fleet.replicas().filter(({ placed }) => placed?.deployment === name)

const isReady = (fleet: Controller, name: string) =>
  onNodes(fleet, name).some(({ reported }) => reported?.state === 'ready')

function until(fleet: Controller, what: string, condition: () => boolean): Promise<number> {
  return untilTrue(what, condition, {
    withinMs: 60_000,
    everyMs: 25,
    seen: () => ({
      plans: fleet.plans().map(({ because, steps }) => [because, steps.map(({ step }) => step)]),
      replicas: fleet
        .replicas()
        .map(({ spec, nodeName, reported }) => [
          spec.id,
          nodeName,
          reported?.state,
          reported?.detail,
        ]),
    }),
  })
}

test('what dies wherever it is tried is left alone, said with its last words, and moves nobody', async () => {
  const clock = new HurriedClock()
  const fleet = await plannedController(clock)
  await node(fleet, 'good', { clock })
  await node(fleet, 'bad', { clock, ownProgram: dying })
  fleet.apply(
    wishes(
      `models:\n${model('well')}${model('doomed')}${model('lucky')}deployments:\n${deployment('well', 'good')}${deployment('doomed', 'bad')}${deployment('lucky', 'bad, good')}`,
    ),
  )
  await until(fleet, 'the others are ready', () => isReady(fleet, 'well'))
  const pid = onNodes(fleet, 'well')[0]?.reported?.pid
  clock.hurry(10)
  await until(
    fleet,
    'it is given up',
    () => onNodes(fleet, 'doomed').length === 0 && isReady(fleet, 'lucky'),
  )
  clock.hurry(1)
  expect(onNodes(fleet, 'lucky')).toMatchObject([{ nodeName: 'good' }])
  expect(onNodes(fleet, 'well')).toMatchObject([{ reported: { state: 'ready', pid } }])

  const placement = placementOf(JSON.parse(JSON.stringify(fleet.placement())))
  const plans = plansAnswer.parse(JSON.parse(JSON.stringify({ plans: fleet.plans() })))
  const why = deploymentWhyText({ ...placement, ...plans }, 'doomed', clock.nowMs())
  expect(why).toMatch(
    /Left alone for now .*:\n\s+bad \(failed once, tried again in 5 min\): the device is gone/,
  )
  const { input } = questionOf(placement, null, [])
  const text = planText(input, searchLocally(input))
  expect(text).toMatch(
    /! doomed: 1 replica without a place\n +failed on bad: .* was tried: the device is gone/,
  )

  // Ten minutes on it was tried again, once or twice, and nobody else was touched.
  const failures = () => Object.values(fleet.state.failedStarts)
  const times = () => failures().find(({ failure }) => failure.deployment === 'doomed')?.times ?? 0
  clock.hurry(60)
  await until(fleet, 'it has been tried again', () => times() >= 2)
  clock.hurry(1)
  expect(onNodes(fleet, 'well')).toMatchObject([{ reported: { state: 'ready', pid } }])
  expect(onNodes(fleet, 'lucky')).toMatchObject([{ nodeName: 'good' }])
}, 180_000)
