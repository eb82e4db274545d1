import { expect, test } from 'vitest'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import {
  cpu,
  deployment,
  evenFit,
  nvidia,
  placementDevice,
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

const roomy = placementNode('roomy', [nvidia(80), cpu(64)])
const onCuda = { backends: ['cuda'] as const }

test('a drained node is left in one go where another one has room', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big], [chat]))
  const nodes = [{ ...big, draining: true }, roomy]
  const made = plan({ ...after, inventory: { ...after.inventory, nodes } })
  expect(made.steps).toMatchObject([
    { step: 'start chat-1', after: [] },
    { step: 'stop chat-0', after: ['start chat-1'], interrupts: false },
  ])
})

test('a drained node is left even where nothing else has room, and the plan says so', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big], [chat]))
  const nodes = [{ ...big, draining: true }]
  const made = plan({ ...after, inventory: { ...after.inventory, nodes } })
  expect(made.steps).toMatchObject([{ step: 'stop chat-0', interrupts: true }])
  expect(made.unplaced).toMatchObject([{ deployment: 'chat', missing: 1 }])
})

test('what was lost with its node starts elsewhere, and is forgotten only then', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big], [chat]))
  const lost = { ...big, presence: 'lost' as const }
  const nowhere = plan({ ...after, inventory: { ...after.inventory, nodes: [lost] } })
  expect(nowhere.steps).toEqual([])
  const made = plan({ ...after, inventory: { ...after.inventory, nodes: [lost, roomy] } })
  expect(made.steps.map(({ step }) => step)).toEqual(['start chat-1', 'stop chat-0'])
})

test('nobody waits for a lost node where a deployment may not be anyway', () => {
  const nodes = [
    { ...big, draining: true },
    { ...roomy, presence: 'lost' as const },
  ]
  const pinned = deployment('chat', 40, { constraints: { ...onCuda, nodes: [big.name] } })
  expect(plan(planInput(nodes, [pinned])).unplaced).toMatchObject([
    { because: [{ check: 'draining' }, { check: 'nodes' }], waitsFor: [] },
  ])
  const free = deployment('chat', 40, { constraints: onCuda })
  expect(plan(planInput(nodes, [free])).unplaced).toMatchObject([
    { waitsFor: [`${roomy.name}, which is lost`] },
  ])
})

test('in a frozen fleet nothing is moved from lost nodes', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big], [chat]))
  const nodes = [{ ...big, presence: 'lost' as const }, roomy]
  const made = plan({ ...after, inventory: { ...after.inventory, nodes }, frozen: true })
  expect(made.steps).toEqual([])
})

test('a changed deployment takes its own place when nothing else has room, and says so', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big], [chat]))
  const made = plan({ ...after, deployments: [{ ...chat, contextTokens: 4_096 }] })
  expect(made.steps).toMatchObject([
    { step: 'stop chat-0', interrupts: true },
    { step: 'start chat-1', after: ['stop chat-0'] },
  ])
})

test('a changed deployment changes over without a gap where there is room', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const { after } = settled(planInput([big, roomy], [chat]))
  const made = plan({ ...after, deployments: [{ ...chat, contextTokens: 4_096 }] })
  expect(made.steps).toMatchObject([
    { step: 'start chat-1', after: [] },
    { step: 'stop chat-0', interrupts: false },
  ])
})

test('each variant goes where it is read', () => {
  const mac = placementNode('mac', [placementDevice('apple-0', 'apple', 64, 400), cpu(64)], {
    os: 'macos',
  })
  const variants = [variant('hf:test/st', 12, { format: 'safetensors' }), variant('hf:test/q', 12)]
  const chat = deployment('chat', 0, { variants, replicas: { min: 2, max: 2 } })
  const made = plan(planInput([placementNode('gpu', [nvidia(48), cpu(64)]), mac], [chat]))
  const sources = made.replicas.map(({ setting }) => `${setting.node} ${setting.source}`)
  expect(sources.toSorted()).toEqual(['gpu hf:test/st', 'mac hf:test/q'])
})

test('room for the loss of a node is kept from everything that is not protected', () => {
  const high = deployment('high', 40, { priority: 'high', constraints: onCuda })
  const other = deployment('other', 40, { constraints: onCuda })
  const input = planInput([big, roomy], [high, other])
  expect(plan(input).unplaced).toEqual([])
  const made = plan({ ...input, reserve: 'n-1' })
  expect(made.unplaced).toMatchObject([{ deployment: 'other', missing: 1 }])
})

test('a start that failed is not tried again in the same way', () => {
  const chat = deployment('chat', 40, { constraints: onCuda })
  const failure = {
    deployment: 'chat',
    node: 'big',
    devices: ['nvidia-0'],
    engine: 'llama-server' as const,
    backend: 'cuda' as const,
    source: 'hf:test/chat',
    because: 'it ended five times',
  }
  const input = planInput([big, roomy], [chat])
  const inventory = { ...input.inventory, failures: [failure] }
  expect(whereabouts(plan({ ...input, inventory }))).toEqual(['chat-0 at roomy on nvidia-0'])
})

test('a deployment may be called what every object has already', () => {
  const made = plan(planInput([big], [deployment('constructor', 4)]))
  expect(whereabouts(made)).toEqual(['constructor-0 at big on nvidia-0'])
})

test('a full disk is told where it is what keeps a deployment away', () => {
  const full = placementNode('big', [nvidia(80), cpu(64)], { freeDiskBytes: 0 })
  expect(plan(planInput([full], [deployment('chat', 40)])).unplaced[0]?.because).toContainEqual(
    expect.objectContaining({ check: 'disk' }),
  )
})

test.each([
  { fleet: 'no node', nodes: [], what: 'there is no node' },
  {
    fleet: 'a node without a known device',
    nodes: [placementNode('bare', [])],
    what: 'of the only node, no device is known that could be used',
  },
])('with $fleet, that is the reason', ({ nodes, what }) => {
  const { unplaced } = plan(planInput(nodes, [deployment('chat', 4)]))
  expect(unplaced[0]?.because).toMatchObject([{ check: 'device', what }])
})
