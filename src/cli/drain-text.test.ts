/** `motley drain` on the homelab of the examples, once all that its owner wants runs. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { drainedText, homelessText } from '#cli/drain-text.ts'
import { planLocally } from '#cli/local-planner.ts'
import { placementQuestion } from '#cli/placement-question.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { nodeDrain } from '#placement/survival.ts'

const homelab = fileURLToPath(new URL('../../examples/homelab/', import.meta.url))
const asked = await placementQuestion(`${homelab}motley.yaml`, {
  inventory: `${homelab}inventory.json`,
})
const inventory = applyPlan(asked.input.inventory, planLocally(asked.input))
const input = { ...asked.input, inventory }
const plan = planLocally(input)

function drainOf(name: string) {
  const node = inventory.nodes.find((one) => one.name === name)
  return nodeDrain(input, plan, planLocally, node!)
}

test('what moves and what has no other place is said before and after, in 80 columns', async () => {
  const pages = inventory.nodes.map(({ name }) => {
    const outcome = drainOf(name)
    const before = outcome.unplaced.length === 0 ? [] : [homelessText(outcome), '']
    return [`$ motley drain ${name} --yes`, ...before, drainedText(outcome)].join('\n')
  })
  const text = pages.join('\n\n')
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  const golden = fileURLToPath(new URL('../../fixtures/cli/homelab-drain.txt', import.meta.url))
  await expect(`${text}\n`).toMatchFileSnapshot(golden)
})

test('a node that runs nothing is drained without more words', () => {
  const idle = { loses: [], losesByHand: [], moves: [], unplaced: [], evicts: [] }
  expect(drainedText({ node: 'a', name: 'alpha', ...idle })).toBe(
    'alpha drains: nothing runs there; "motley drain alpha --undo" uses it again',
  )
})
