/** What `motley apply` shows is what the controller then plans with, whatever it is given. */
import { expect, test, vi } from 'vitest'
import { searchLocally } from '#cli/local-planner.ts'
import { askPlacement, placementOf, questionOf, withFleetHeaders } from '#cli/placement-question.ts'
import { settleWishes } from '#controller/deploying.ts'
import { engineCatalog } from '#engines/index.ts'
import type { PlanInput } from '#placement/plan.ts'
import { wishesWanted } from '#protocol/wishes.ts'
import { afterTest } from './harness/after-test.ts'
import { chat } from './harness/fleet.ts'
import { controller } from './harness/fleet-nodes.ts'
import { dataFolder, oneMachine } from './harness/one-machine.ts'
import { packageFile } from './harness/package-file.ts'
import { wishes } from './harness/planned-controller.ts'
import { untilTrue } from './harness/until-true.ts'

test('the plan that is shown and the one that is made have the same question', async () => {
  const asked: PlanInput[] = []
  const fleet = await controller(undefined, {
    planning: {
      makePlan(input) {
        asked.push(input)
        return searchLocally(input)
      },
      settings: () => ({ engines: engineCatalog, reserve: 'n-1' }),
      replaceAfterMs: () => 120_000,
      demand: () => [],
    },
  })
  fleet.configure(wishes('deployments: { one: { model: qwen3-8b } }'))
  fleet.apply(
    wishes(`
nodes: { khelben: { labels: { room: rack } } }
deployments: { two: { model: llama-3.1-8b, replicas: { min: 0, max: 2 } }, old: { model: qwen3-8b } }`),
  )
  fleet.wake('llama-3.1-8b')
  const page = placementOf(JSON.parse(JSON.stringify(fleet.placement())))
  const wanted = wishes(`
nodes: { drizzt: { labels: { room: desk } } }
deployments:
  one: { model: qwen3-8b }
  two: { model: llama-3.1-8b, context: 4096, replicas: { min: 0, max: 2 } }
  three: { model: "hf:somebody/unknown" }`)
  const { own } = settleWishes(fleet.state, wanted)
  const shown = questionOf(page, own, []).input

  asked.length = 0
  fleet.apply(wanted, page.page.wanted?.revision ?? null)
  await untilTrue('it is planned', () => asked.length > 0, { everyMs: 10 })
  const byName = (input: PlanInput | undefined) => ({
    ...input,
    deployments: input?.deployments.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  })
  const written = (input: PlanInput | undefined) => JSON.parse(JSON.stringify(byName(input)))
  expect(written(asked.at(-1))).toEqual(written(shown))
  expect(shown.wantedReplicas).toEqual({ one: 1, two: 1, three: 1 })
  expect(shown.deployments.map(({ name }) => name).sort()).toEqual(['one', 'three', 'two'])
})

test('what nobody has seen before is read before it is planned, and nothing is wanted by that', async () => {
  dataFolder()
  const { url, node, admin } = await oneMachine()
  const weights = packageFile('models/motley-tiny.gguf')
  const wanted = wishes(`
models:
  tiny: { variants: [{ source: "file:${weights}" }] }
  missing: { variants: [{ source: "file:/nowhere/missing.gguf" }] }
deployments:
  chat: { model: tiny, context: 256, slots: 1, share: true }
  gone: { model: missing }`)
  const isKnown = async () => {
    const { nodes } = await admin<{ nodes: { inventory: { devices: [] } | null }[] }>('nodes')
    return nodes.every(({ inventory }) => (inventory?.devices.length ?? 0) > 0)
  }
  await untilTrue('its devices are known', isKnown, { everyMs: 20 })
  const told: string[] = []
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    told.push(String(line).trimEnd())
    return true
  })
  afterTest(() => spy.mockRestore())
  const known = await withFleetHeaders(await askPlacement({ url }), wanted, { url })
  const plan = searchLocally(questionOf(known, wanted, []).input)
  expect(plan.replicas).toMatchObject([{ deployment: 'chat', keeps: null }])
  expect(plan.unplaced).toMatchObject([{ deployment: 'gone' }])
  expect(told).toEqual([
    `reading what file:${weights} holds …`,
    'reading what file:/nowhere/missing.gguf holds …',
    expect.stringMatching(/^motley: file:\/nowhere\/missing.gguf cannot be read: .*/),
  ])
  const page = await admin<{ deployments: unknown[]; nodes: { name: string }[] }>('placement')
  expect(page).toMatchObject({ deployments: [], nodes: [{ name: node }] })
})

test('a model that was applied answers under its alias for as long as it is wanted', async () => {
  dataFolder()
  const { url, admin, untilState } = await oneMachine()
  const wanted = wishesWanted.parse(
    wishes(`
models: { tiny: { variants: [{ source: "file:${packageFile('models/motley-tiny.gguf')}" }], aliases: [gpt-4o-mini] } }
deployments: { chat: { model: tiny, context: 256, slots: 1, share: true} }`),
  )
  await admin('deployments', 'PUT', wanted)
  await untilState('chat-0', 'ready')
  const answer = await chat(url, { model: 'gpt-4o-mini', max_tokens: 2 })
  expect(answer.status).toBe(200)
  // Taken away again, the name is unknown: an alias of nothing.
  await admin('deployments', 'PUT', { deployments: [], statements: {} })
  const gone = await chat(url, { model: 'gpt-4o-mini', max_tokens: 2 })
  expect(gone.status).toBe(404)
  // An engine outlives its agent: it is waited for, so that none is left by the test.
  await untilTrue('its engine has ended', async () => {
    const { replicas } = await admin<{ replicas: unknown[] }>('replicas')
    return replicas.length === 0
  })
}, 120_000)
