import { expect, onTestFinished, test } from 'vitest'
import { PlannerWorker } from '#cli/planner-worker.ts'
import type { PlanInput } from '#placement/plan.ts'

const nothing: PlanInput = {
  deployments: [],
  inventory: { nodes: [], replicas: [], memory: [], speeds: [] },
  engines: [],
  wantedReplicas: {},
  reserve: 'none',
  frozen: false,
}

function planner(): PlannerWorker {
  const made = new PlannerWorker()
  onTestFinished(() => made.close())
  return made
}

test('plans come from the thread, each to its own question', async () => {
  const worker = planner()
  const [one, other] = await Promise.all([worker.plan(nothing), worker.plan(nothing)])
  expect(one).toMatchObject({ replicas: [], steps: [], unplaced: [] })
  expect(other.id).toBe(one.id)
})

test('a planner that is closed answers whoever waits', async () => {
  const worker = planner()
  const told = expect(worker.plan(nothing)).rejects.toThrow('the planner was closed')
  await worker.close()
  await told
})

test('a bug of the planner reaches whoever asked, and the next question is answered', async () => {
  const worker = planner()
  await expect(worker.plan({ ...nothing, deployments: [null as never] })).rejects.toThrow(
    'the planner has a bug',
  )
  await expect(worker.plan(nothing)).resolves.toMatchObject({ steps: [] })
})
