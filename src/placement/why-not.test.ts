import { expect, test } from 'vitest'
import { createPlanner } from '#placement/planner/planner.ts'
import { whyNot } from '#placement/why-not.ts'
import {
  cpu,
  deployment,
  evenFit,
  nvidia,
  placementNode,
  planInput,
} from '#testing/placement-input.ts'

const plan = createPlanner(evenFit)
const small = placementNode('small', [nvidia(12), cpu(32)])
const taints = [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' as const }]
const dedicated = placementNode('dedicated', [nvidia(12), cpu(32)], { taints })

function answerFor(node: typeof small, chat = deployment('chat', 20)) {
  const input = planInput([node], [chat])
  return whyNot(input, plan(input), evenFit, { deployment: 'chat', node: node.id })
}

const onCuda = deployment('chat', 20, { constraints: { backends: ['cuda'] } })

test('room that is missing is in the way, and not a device that nobody has asked for', () => {
  const { inTheWay, blockers } = answerFor(small, onCuda)
  expect(inTheWay.map(({ check }) => check)).toEqual(['memory'])
  expect(blockers.map(({ check }) => check)).toEqual(['memory', 'backends'])
})

test('what is needed beside others is said with the engine that needs so much', () => {
  const shared = { share: true, constraints: { backends: ['cuda' as const] } }
  const input = planInput([small], [deployment('stt', 8, shared), deployment('chat', 8, shared)])
  const made = plan(input)
  const homeless = made.unplaced[0]?.deployment ?? ''
  const of = { deployment: homeless, node: small.id }
  const { inTheWay } = whyNot(input, made, evenFit, of)
  expect(inTheWay).toMatchObject([{ check: 'memory', engines: ['llama-server'] }])
})

test('all that has to go is in the way: what is said of the node, and of its device', () => {
  const { inTheWay } = answerFor(dedicated, onCuda)
  expect(inTheWay.map(({ check }) => check)).toEqual(['taints', 'memory'])
})

test('where no device is asked for, the constraint is in the way', () => {
  const chat = deployment('chat', 20, { constraints: { backends: ['rocm'] } })
  const { inTheWay, blockers } = answerFor(small, chat)
  expect(inTheWay.map(({ check }) => check)).toEqual(['backends', 'backends'])
  expect(blockers).toEqual(inTheWay)
})
