import { expect, test } from 'vitest'
import { quickestStartMs } from '#placement/speed/quickest-start.ts'
import {
  cpu,
  deployment,
  gibibyte,
  nvidia,
  placementNode,
  variant,
} from '#testing/placement-input.ts'

/** 8 GiB of weights come from it in 2 s, and from the other in 8 s; either engine takes 2 s more. */
const quick = placementNode('quick', [cpu(64)], { diskBytesPerSecond: 4 * gibibyte })
const slow = placementNode('slow', [nvidia(24)], { diskBytesPerSecond: gibibyte })
const nodes = [slow, quick].map((node) => ({ ...node, weights: ['file:/chat.gguf'] }))
const variants = [variant('file:/chat.gguf', 8)]

test.each([
  { of: 'any node', constraints: {}, ms: 4_000 },
  { of: 'the nodes that it names', constraints: { nodes: ['slow'] }, ms: 10_000 },
  { of: 'its backends', constraints: { backends: ['cuda' as const] }, ms: 10_000 },
  { of: 'its least memory', constraints: { minVramBytes: 48 * gibibyte }, ms: 4_000 },
  { of: 'labels that no node has', constraints: { labels: { room: 'rack' } }, ms: null },
])('the quickest start is that of $of: $ms ms', ({ constraints, ms }) => {
  expect(quickestStartMs(deployment('chat', 8, { variants, constraints }), nodes)).toBe(ms)
})

test('a node that is silent, drained or tainted starts nothing', () => {
  const chat = deployment('chat', 8, { variants })
  const taint = { key: 'dedicated', value: null, effect: 'NoSchedule' as const }
  for (const not of [{ presence: 'suspect' as const }, { draining: true }, { taints: [taint] }]) {
    expect(quickestStartMs(chat, [{ ...quick, ...not }])).toBeNull()
  }
})

test('weights that are not there come over the network, where the disk has room for them', () => {
  const far = { ...quick, networkBytesPerSecond: gibibyte }
  const chat = deployment('chat', 8, { variants })
  expect(quickestStartMs(chat, [far])).toBe(8_000 + 4_000)
  expect(quickestStartMs(chat, [{ ...far, freeDiskBytes: gibibyte }])).toBeNull()
})
