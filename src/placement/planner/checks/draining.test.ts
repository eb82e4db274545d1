import { expect, test } from 'vitest'
import { draining } from '#placement/planner/checks/draining.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

const chat = deployment('chat', 8)

test.each([
  { drained: false, undo: null },
  { drained: true, undo: 'motley drain khelben --undo' },
])('a node that is drained ($drained) is refused with the way back', ({ drained, undo }) => {
  const node = placementNode('khelben', [], { draining: drained })
  expect(draining.refuse(chat, node)?.unlockedBy ?? null).toBe(undo)
})

test('what runs on a drained node leaves, with or without another place', () => {
  expect(draining.onRunning(chat, placementNode('khelben', [], { draining: true }))).toBe('leaves')
})
