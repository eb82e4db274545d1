import { expect, test } from 'vitest'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import {
  cpu,
  deployment,
  evenFit,
  nvidia,
  placementNode,
  planInput,
  variant,
} from '#testing/placement-input.ts'

const plan = createPlanner(evenFit)

/** Where everybody is: `chat-0 at big on nvidia-0`. */
function whereabouts({ replicas }: Plan): string[] {
  return replicas.map(
    ({ id, setting }) => `${id} at ${setting.node} on ${setting.devices.join('+')}`,
  )
}

function settled(input: PlanInput): { plan: Plan; after: PlanInput } {
  const made = plan(input)
  return { plan: made, after: { ...input, inventory: applyPlan(input.inventory, made) } }
}

const big = placementNode('big', [nvidia(80), cpu(64)])
const small = placementNode('small', [nvidia(12), cpu(32)])

test('one deployment goes to a device where it fits', () => {
  const made = plan(planInput([big, small], [deployment('chat', 40)]))
  expect(whereabouts(made)).toEqual(['chat-0 at big on nvidia-0'])
  expect(made.steps).toMatchObject([{ kind: 'start', step: 'start chat-0', after: [] }])
  expect(made.unplaced).toEqual([])
})

test('a small model leaves the large device to the large one', () => {
  const made = plan(planInput([big, small], [deployment('little', 4), deployment('chat', 40)]))
  expect(whereabouts(made).toSorted()).toEqual([
    'chat-0 at big on nvidia-0',
    'little-0 at small on nvidia-0',
  ])
})

test('a plan that was carried out leaves nothing to plan', () => {
  const { after } = settled(planInput([big, small], [deployment('a', 4), deployment('b', 40)]))
  expect(plan(after).steps).toEqual([])
})

test('what has no place is said, with the reasons', () => {
  const made = plan(planInput([small], [deployment('chat', 40)]))
  expect(made.replicas).toEqual([])
  expect(made.unplaced).toMatchObject([{ deployment: 'chat', missing: 1 }])
  expect(made.unplaced[0]?.because).not.toEqual([])
})

test('a higher priority takes the place of a lower one, which goes elsewhere if it can', () => {
  const low = deployment('low', 40, { priority: 'low' })
  const { after } = settled(planInput([big], [low]))
  const high = deployment('high', 40, { priority: 'high', constraints: { backends: ['cuda'] } })
  const made = plan({ ...after, deployments: [low, high] })
  expect(whereabouts(made)).toContain('high-0 at big on nvidia-0')
  expect(made.steps.map(({ step }) => step)).toEqual(['start low-1', 'stop low-0', 'start high-0'])
})

test('two that share a device get what fits beside each other', () => {
  const files = [variant('hf:test/a', 4, { format: 'safetensors' })]
  const chat = deployment('chat', 4, { variants: files, share: true })
  const stt = deployment('stt', 3, { share: true, contextTokens: 4_096 })
  const made = plan(planInput([small], [chat, stt]))
  const onGpu = made.replicas.filter(({ setting }) => setting.devices.includes('nvidia-0'))
  expect(onGpu).toHaveLength(2)
  const taken = onGpu.map(({ memory }) => memory.devices[0]!.needBytes)
  expect(taken[0]! + taken[1]!).toBeLessThanOrEqual(12 * 2 ** 30)
})
