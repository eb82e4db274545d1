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

test('more context than a model was trained for is refused, where anybody has read what that is', () => {
  const node = { id: nodeId('n1'), name: 'box', draining: false }
  const appended: unknown[] = []
  const fleet = {
    nodeNamed: () => node,
    live: new Map(),
    state: {
      inspected: { 'file:/tiny.gguf': { facts: { contextTokens: 1_024 } } },
      deployments: {},
      replicas: {},
    },
    append: (event: unknown) => appended.push(event),
    endpointsChanged: () => {},
  } as unknown as Fleet
  const want = (source: string, contextTokens: number | null) =>
    wantReplica(
      fleet,
      'box',
      { model: 'tiny', source, contextTokens } as Parameters<typeof wantReplica>[2],
      null,
    )
  expect(() => want('file:/tiny.gguf', 8_192)).toThrow(
    'context: 8,192 tokens are wanted, and the model was trained for 1,024; take a context of at most 1,024',
  )
  expect(appended).toEqual([])
  want('file:/tiny.gguf', 1_024)
  want('file:/tiny.gguf', null)
  want('file:/unread.gguf', 8_192)
  expect(appended).toHaveLength(3)
})
