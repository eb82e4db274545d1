import { expect, test } from 'vitest'
import type { Fleet } from '#controller/fleet.ts'
import { wantReplica } from '#controller/replica-wishes.ts'
import { nodeId } from '#core/ids.ts'

test('a node that is only a recording takes no replica, in the words that plans have for it', () => {
  const node = { id: nodeId('n1'), name: 'box', draining: false }
  const fleet = {
    nodeNamed: () => node,
    live: new Map([[node.id, { inventory: { isRecording: true, devices: [] } }]]),
    append: () => expect.unreachable('nothing is wanted'),
  } as unknown as Fleet
  const spec = { model: 'tiny', source: 'file:/tiny.gguf' } as Parameters<typeof wantReplica>[2]
  expect(() => wantReplica(fleet, 'box', spec, null)).toThrow(
    'box is a recording of a machine, and runs nothing: start "motley agent" on the machine itself',
  )
})
