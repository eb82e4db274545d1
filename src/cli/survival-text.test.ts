import { expect, test } from 'vitest'
import { survivalText } from '#cli/survival-text.ts'
import type { Unplaced } from '#placement/plan.ts'
import type { NodeLoss } from '#placement/survival.ts'

const loss: NodeLoss = {
  node: 'a',
  name: 'alpha',
  loses: [],
  losesByHand: [],
  moves: [],
  unplaced: [],
  evicts: [],
}
const chat = { deployment: 'chat', missing: 1, because: [], waitsFor: [] } as unknown as Unplaced

test.each([
  {
    what: 'all is well',
    plan: [],
    losses: [loss],
    first: /^The loss of any one node can be made up/,
  },
  {
    what: 'a loss is felt',
    plan: [],
    losses: [{ ...loss, unplaced: [chat] }],
    first: /^The loss of alpha cannot/,
  },
  {
    what: 'it is felt already',
    plan: [chat],
    losses: [loss],
    first: /^As it is, not all of chat has a place[\s\S]*no worse\.$/m,
  },
  {
    what: 'there is no node',
    plan: [chat],
    losses: [],
    first: /^As it is[\s\S]*There is no node to lose\.$/m,
  },
])('$what', ({ plan, losses, first }) => {
  expect(survivalText(losses, { unplaced: plan })).toMatch(first)
})
