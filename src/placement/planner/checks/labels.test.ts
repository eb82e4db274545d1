import { expect, test } from 'vitest'
import { labels } from '#placement/planner/checks/labels.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

test.each([
  { has: {}, refused: 'khelben has no room, and room=rack is asked for' },
  { has: { room: 'desk' }, refused: 'khelben has room=desk, and room=rack is asked for' },
  { has: { room: 'rack', owner: 'me' }, refused: null },
])('room=rack is asked for, and there is $has', ({ has, refused }) => {
  const chat = deployment('chat', 8, { constraints: { labels: { room: 'rack' } } })
  const node = placementNode('khelben', [], { labels: has })
  expect(labels.refuse(chat, node)?.what ?? null).toBe(refused)
})

test('a label is no member that every object has', () => {
  const chat = deployment('chat', 8, { constraints: { labels: { constructor: 'x' } } })
  expect(labels.refuse(chat, placementNode('khelben', []))?.what).toContain('no constructor')
})
