import { expect, test } from 'vitest'
import { presence } from '#placement/planner/checks/presence.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

const chat = deployment('chat', 8)

test.each([
  { state: 'ready', refused: null, runs: 'stays' },
  { state: 'suspect', refused: 'khelben has been silent for a while', runs: 'stays' },
  { state: 'lost', refused: 'khelben is lost', runs: 'moves' },
] as const)('a node that is $state: nothing new or all, and what runs there $runs', (row) => {
  const node = placementNode('khelben', [], { presence: row.state })
  expect(presence.refuse(chat, node)?.what ?? null).toBe(row.refused)
  expect(presence.onRunning(chat, node)).toBe(row.runs)
})
