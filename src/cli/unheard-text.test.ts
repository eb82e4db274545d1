import { expect, test } from 'vitest'
import { unheardState, unheardText } from '#cli/unheard-text.ts'

test.each([
  { presence: 'suspect', silentMs: 20_000, text: 'tower is silent, last heard 20 s ago' },
  { presence: 'lost', silentMs: 200_000, text: 'tower is lost, last heard 3 min ago' },
  {
    presence: 'suspect',
    silentMs: null,
    text: 'tower has not come back since the controller started',
  },
  {
    presence: 'lost',
    silentMs: undefined,
    text: 'tower is lost: how it is now, nobody knows',
  },
  { presence: 'ready', silentMs: 4_000, text: null },
])('a node that is $presence for $silentMs ms', ({ presence, silentMs, text }) => {
  expect(unheardText({ nodeName: 'tower', presence, silentMs })).toBe(text)
})

test('what was told last is not shown as how it is', () => {
  expect(unheardState({ presence: 'suspect' })).toBe('node silent')
  expect(unheardState({ presence: 'lost' })).toBe('node lost')
  expect(unheardState({ presence: 'ready' })).toBeNull()
})
