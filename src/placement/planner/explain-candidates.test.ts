import { expect, test } from 'vitest'
import { explainCandidates } from '#placement/planner/explain-candidates.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import {
  cpu,
  deployment,
  evenFit,
  nvidia,
  placementNode,
  planInput,
} from '#testing/placement-input.ts'

const big = placementNode('big', [nvidia(80), cpu(64)])
const small = placementNode('small', [nvidia(12), cpu(32)])
const taints = [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' as const }]
const dedicated = placementNode('dedicated', [nvidia(80), cpu(64)], { taints })

const input = planInput([big, small, dedicated], [deployment('chat', 20)])
const made = createPlanner(evenFit)(input)
const records = explainCandidates(input, made, evenFit, 'chat', null)

const of = (node: string, device: string) =>
  records.find((one) => one.node === node && one.devices.join() === device)!

test('every device of every node has its record', () => {
  const seen = records.map(({ node, devices }) => `${node} ${devices.join()}`).toSorted()
  expect(seen).toEqual([
    'big cpu-0',
    'big nvidia-0',
    'dedicated cpu-0',
    'dedicated nvidia-0',
    'small cpu-0',
    'small nvidia-0',
  ])
})

test('the chosen one comes first, and its score adds up to the least', () => {
  const total = ({ score }: { score: Readonly<Record<string, number>> | null }) =>
    Object.values(score ?? {}).reduce((sum, term) => sum + term, 0)
  expect(records[0]).toMatchObject({ verdict: 'chosen', node: 'big', devices: ['nvidia-0'] })
  const possible = records.filter(({ verdict }) => ['runner-up', 'possible'].includes(verdict))
  for (const one of possible) expect(total(one)).toBeGreaterThanOrEqual(total(records[0]!))
})

test('everything against a node is said at once', () => {
  expect(of('small', 'nvidia-0').blockers.map(({ check }) => check)).toEqual(['memory'])
  expect(of('dedicated', 'nvidia-0').blockers.map(({ check }) => check)).toEqual(['taints'])
  expect(of('dedicated', 'nvidia-0').score).not.toBeNull()
})
