import { expect, test } from 'vitest'
import { nodeNames } from '#placement/planner/checks/node-names.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

test.each([
  { nodes: null, refused: null },
  { nodes: ['drizzt', 'khelben'], refused: null },
  { nodes: ['drizzt'], refused: 'chat may only be on drizzt' },
  { nodes: [], refused: 'chat may only be on ' },
])('on khelben, with $nodes named', ({ nodes, refused }) => {
  const chat = deployment('chat', 8, { constraints: { nodes } })
  expect(nodeNames.refuse(chat, placementNode('khelben', []))?.what ?? null).toBe(refused)
})
