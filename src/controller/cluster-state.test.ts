import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  applyEvent,
  type ClusterEvent,
  type ClusterState,
  emptyCluster,
  measurementKey,
} from '#controller/cluster-state.ts'
import { type NodeId, nodeId } from '#core/ids.ts'
import { wishedReplica } from '#testing/wished-replica.ts'

const dayMs = 24 * 3_600_000
const node = nodeId('node-1')
const other = nodeId('node-2')

const joined = (of = node, digest = 'd1'): ClusterEvent => ({
  type: 'node-joined',
  node: of,
  name: `name of ${of}`,
  fingerprint: `fingerprint of ${of}`,
  tokenDigest: digest,
})

const measured = (engineVersion: string, decodeTokensPerSecond: number): ClusterEvent => ({
  type: 'speed-measured',
  measurement: {
    node,
    engine: 'vllm',
    engineVersion,
    model: 'tiny',
    quantization: null,
    measuredAtMs: 1,
    promptTokensPerSecond: 100,
    decodeTokensPerSecond,
    boundTokensPerSecond: null,
    byConcurrency: [],
    knee: 1,
  },
})

const attached = (of: NodeId, id: string, port: number): ClusterEvent => ({
  type: 'endpoint-attached',
  endpoint: { id, node: of, port, engine: 'ollama' },
})

const taken = (replica: string, takenBytes: number, slots = 4): ClusterEvent => ({
  type: 'memory-measured',
  measurement: {
    node,
    replica,
    engine: 'vllm',
    engineVersion: null,
    backend: 'cuda',
    model: 'tiny',
    quantization: null,
    contextTokens: 8_192,
    slots,
    weightsBytes: 2_337_664,
    measuredAtMs: 1,
    devices: [{ vendor: 'nvidia', index: 0, name: 'L40S', takenBytes, source: 'processes' }],
  },
})

const after = (events: readonly ClusterEvent[], atMs = 1_000): ClusterState =>
  events.reduce((state, event) => applyEvent(state, event, atMs), emptyCluster)

test('a token is used up by the node that joins with it, and no other', () => {
  const { tokens, nodes } = after([
    { type: 'token-created', digest: 'd1', expiresAtMs: 5_000 },
    { type: 'token-created', digest: 'd2', expiresAtMs: 5_000 },
    joined(node, 'd1'),
  ])
  expect([tokens['d1']?.usedBy, tokens['d2']?.usedBy]).toEqual([node, null])
  expect(nodes[node]).toMatchObject({ joinedAtMs: 1_000, revoked: false, draining: false })
})

test('a token that expired is remembered for a week, so that its owner hears what is wrong', () => {
  const created = (digest: string): ClusterEvent => ({
    type: 'token-created',
    digest,
    expiresAtMs: 1_000,
  })
  const old = applyEvent(emptyCluster, created('old'), 0)
  expect(Object.keys(applyEvent(old, created('new'), 7 * dayMs + 999).tokens)).toEqual([
    'old',
    'new',
  ])
  expect(Object.keys(applyEvent(old, created('new'), 7 * dayMs + 1_000).tokens)).toEqual(['new'])
})

test('revoking takes what should run there along, and leaves other nodes alone', () => {
  const state = after([
    joined(),
    joined(other, 'd2'),
    { type: 'replica-wanted', node, spec: wishedReplica('a') },
    { type: 'replica-wanted', node: other, spec: wishedReplica('b') },
    { type: 'node-revoked', node },
  ])
  expect(Object.keys(state.replicas)).toEqual(['b'])
  expect([state.nodes[node]?.revoked, state.nodes[other]?.revoked]).toEqual([true, false])
})

test('the newest measurement of each build is kept beside those of other builds', () => {
  const { measurements } = after([measured('1', 10), measured('2', 20), measured('2', 30)])
  expect(Object.values(measurements).map((one) => one.decodeTokensPerSecond)).toEqual([10, 30])
})

test('parts of a key cannot run into each other', () => {
  const key = (engine: string, model: string) =>
    measurementKey({ node, engine, engineVersion: null, model, quantization: null })
  expect(key('a","b', 'c')).not.toBe(key('a', 'b","c'))
})

test('of what was taken the newest is kept, by all that decides how much it is', () => {
  const { memory } = after([taken('a', 1), taken('b', 2), taken('c', 3, 8)])
  const kept = Object.values(memory).map(({ replica, slots, devices }) => [
    replica,
    slots,
    devices[0]?.takenBytes,
  ])
  expect(kept).toEqual([
    ['b', 4, 2],
    ['c', 8, 3],
  ])
})

test.each([
  { type: 'node-draining', node: nodeId('nobody'), draining: true },
  { type: 'node-revoked', node: nodeId('nobody') },
  { type: 'replica-unwanted', replica: 'nothing' },
  { type: 'endpoint-detached', endpoint: 'nothing' },
] as const)('$type of what is not there changes nothing', (event) => {
  const state = after([joined(), { type: 'replica-wanted', node, spec: wishedReplica('a') }])
  expect(applyEvent(state, event, 2)).toEqual(state)
})

const anyNode = fc.constantFrom(...['node-1', 'node-2', 'node-3'].map(nodeId))
const anyReplica = fc.constantFrom('a', 'b', '__proto__', 'constructor', '7')
const anyDigest = fc.constantFrom('d1', 'd2', 'd3')
const anyEvent: fc.Arbitrary<ClusterEvent> = fc.oneof(
  fc.record({
    type: fc.constant('token-created' as const),
    digest: anyDigest,
    expiresAtMs: fc.integer({ min: 0, max: 2e9 }),
  }),
  fc.tuple(anyNode, anyDigest).map(([of, digest]) => joined(of, digest)),
  anyNode.map((of) => ({ type: 'node-revoked' as const, node: of })),
  fc.record({
    type: fc.constant('node-draining' as const),
    node: anyNode,
    draining: fc.boolean(),
  }),
  fc.tuple(anyNode, fc.string()).map(
    ([of, os]): ClusterEvent => ({
      type: 'inventory-changed',
      node: of,
      inventory: { devices: [], os },
    }),
  ),
  fc
    .tuple(anyNode, anyReplica)
    .map(([of, id]) => ({ type: 'replica-wanted' as const, node: of, spec: wishedReplica(id) })),
  anyReplica.map((replica) => ({ type: 'replica-unwanted' as const, replica })),
  fc.tuple(fc.string(), fc.nat()).map(([version, speed]) => measured(version, speed)),
  fc.tuple(anyNode, anyReplica, fc.nat()).map(([of, id, port]) => attached(of, id, port)),
  anyReplica.map((endpoint) => ({ type: 'endpoint-detached' as const, endpoint })),
  fc.tuple(anyReplica, fc.nat()).map(([id, bytes]) => taken(id, bytes)),
)

function frozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}

test('a snapshot that was written, read and gone on with is what all events make', () => {
  void fc.assert(
    fc.property(
      fc.array(fc.tuple(anyEvent, fc.nat({ max: 2e9 })), { maxLength: 40 }),
      fc.nat(),
      (events, cut) => {
        const at = cut % (events.length + 1)
        const apply = (from: ClusterState, part: typeof events) =>
          part.reduce(
            (state, [event, atMs]) => frozen(applyEvent(state, frozen(event), atMs)),
            from,
          )
        const snapshot = JSON.parse(JSON.stringify(apply(emptyCluster, events.slice(0, at))))
        const whole = JSON.stringify(apply(emptyCluster, events))
        expect(JSON.stringify(apply(snapshot, events.slice(at)))).toBe(whole)
      },
    ),
  )
})
