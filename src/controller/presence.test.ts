import { expect, test } from 'vitest'
import { isMassLoss, isMassSilence, type Presence, presenceOf } from '#controller/presence.ts'

test.each([
  { silentMs: 0, presence: 'ready' },
  { silentMs: 5_000, presence: 'ready' },
  { silentMs: 14_999, presence: 'ready' },
  { silentMs: 15_000, presence: 'suspect' },
  { silentMs: 59_999, presence: 'suspect' },
  { silentMs: 60_000, presence: 'lost' },
])('a node that is silent for $silentMs ms is $presence', ({ silentMs, presence }) => {
  expect(presenceOf(1_000, 0, 1_000 + silentMs)).toBe(presence)
})

test.each([
  { sinceStartMs: 0, presence: 'suspect' },
  { sinceStartMs: 59_999, presence: 'suspect' },
  { sinceStartMs: 60_000, presence: 'lost' },
])(
  'a node not heard since the controller started $sinceStartMs ms ago is $presence',
  ({ sinceStartMs, presence }) => {
    expect(presenceOf(null, 7, 7 + sinceStartMs)).toBe(presence)
  },
)

const all = (text: string): Presence[] =>
  [...text].map((letter) => ({ r: 'ready', s: 'suspect', l: 'lost' })[letter] as Presence)

test.each([
  { nodes: '', loss: false, silence: false },
  { nodes: 'l', loss: false, silence: false }, // one of one is that one
  { nodes: 'lr', loss: false, silence: false },
  { nodes: 'll', loss: true, silence: true },
  { nodes: 'llrr', loss: false, silence: false }, // half is not most
  { nodes: 'llr', loss: true, silence: true },
  { nodes: 'lsr', loss: false, silence: true },
  { nodes: 'sss', loss: false, silence: true },
])('of nodes $nodes: mass loss $loss, mass silence $silence', ({ nodes, loss, silence }) => {
  expect([isMassLoss(all(nodes)), isMassSilence(all(nodes))]).toEqual([loss, silence])
})
