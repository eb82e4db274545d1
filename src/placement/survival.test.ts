import { expect, test } from 'vitest'
import type { PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import { nodeDrain, nodeLosses } from '#placement/survival.ts'
import {
  cpu,
  deployment,
  evenFit,
  nvidia,
  placementNode,
  planInput,
} from '#testing/placement-input.ts'

const planner = createPlanner(evenFit)
const big = placementNode('big', [nvidia(80), cpu(64)])
const roomy = placementNode('roomy', [nvidia(80), cpu(64)])
const chat = deployment('chat', 40, { constraints: { backends: ['cuda'] } })

/** With chat running on the first of them. */
function running(nodes: PlanInput['inventory']['nodes']): PlanInput {
  const input = planInput([big], [chat])
  const inventory = applyPlan(input.inventory, planner(input))
  return { ...input, inventory: { ...inventory, nodes } }
}

test('the drain of a node says where each deployment moves', () => {
  const input = running([big, roomy])
  expect(nodeDrain(input, planner(input), planner, big)).toMatchObject({
    name: 'big',
    loses: ['chat'],
    moves: [{ deployment: 'chat', to: 'roomy' }],
    unplaced: [],
  })
})

test('a deployment that may be nowhere else is said to have no place, and no more than as a loss', () => {
  const input = running([big])
  const drained = nodeDrain(input, planner(input), planner, big)
  expect(drained).toMatchObject({ moves: [], unplaced: [{ deployment: 'chat', missing: 1 }] })
  const [lost] = nodeLosses(input, planner(input), planner)
  expect(lost?.unplaced.map(({ missing }) => missing)).toEqual([1])
})

test('what has no place as it is, is no news of a drain', () => {
  const other = deployment('other', 400)
  const input = { ...running([big, roomy]), deployments: [chat, other] }
  const wantedReplicas = { chat: 1, other: 1 }
  const both = { ...input, wantedReplicas }
  expect(planner(both).unplaced).toMatchObject([{ deployment: 'other' }])
  expect(nodeDrain(both, planner(both), planner, big).unplaced).toEqual([])
})
