import { expect, test } from 'vitest'
import type { Deployment } from '#core/deployment.ts'
import { noLimits } from '#placement/fit.ts'
import type { PlacementDevice } from '#placement/inventory.ts'
import { answerTime } from '#placement/planner/ranks/answer-time.ts'
import { deviceClass } from '#placement/planner/ranks/device-class.ts'
import { fetchTime } from '#placement/planner/ranks/fetch-time.ts'
import { oversize } from '#placement/planner/ranks/oversize.ts'
import { preferredNodes } from '#placement/planner/ranks/preferred-nodes.ts'
import { quality } from '#placement/planner/ranks/quality.ts'
import type { RankQuestion } from '#placement/planner/ranks/rank.ts'
import { shortContext } from '#placement/planner/ranks/short-context.ts'
import {
  cpu,
  deployment,
  evenFit,
  gibibyte,
  modelFacts,
  nvidia,
  placementDevice,
  placementNode,
  testEngines,
  variant,
} from '#testing/placement-input.ts'

function question(wanted: Deployment, device: PlacementDevice): RankQuestion {
  const fit = evenFit({
    deployment: wanted,
    variant: wanted.variants[0]!,
    engine: testEngines[1]!,
    backend: device.device.vendor === 'cpu' ? 'cpu' : 'cuda',
    kind: 'native',
    node: placementNode('a', [device]),
    devices: [device],
    promisedBytes: {},
    limits: noLimits,
    memory: [],
    speeds: [],
  })
  if (fit.kind === 'no') throw new Error('the example has to fit')
  const capacityBytes = device.device.memoryBytes ?? 0
  return {
    deployment: wanted,
    variantIndex: 0,
    engineIndex: 0,
    devices: [device],
    capacityBytes,
    fit,
  }
}

test('each halving of a context that is too short for a conversation costs alike', () => {
  const secondsWith = (wanted: Deployment, contextTokens: number): number => {
    const asked = question(wanted, nvidia(24))
    const setting = { ...asked.fit.setting, contextTokens }
    return shortContext.seconds({ ...asked, fit: { ...asked.fit, setting } })
  }
  const chat = deployment('chat', 8)
  const [half, quarter] = [secondsWith(chat, 4_096), secondsWith(chat, 2_048)]
  expect(half).toBeGreaterThan(0)
  expect(quarter).toBeCloseTo(2 * half)
  expect(secondsWith(chat, 8_192)).toBe(0)
  expect(secondsWith(chat, 131_072)).toBe(0)
  // What it asks for itself is enough for it.
  expect(secondsWith(deployment('chat', 8, { contextTokens: 2_048 }), 2_048)).toBe(0)
})

test('a faster device answers sooner, and costs less', () => {
  const chat = deployment('chat', 8)
  const fast = answerTime.seconds(question(chat, nvidia(24)))
  expect(fast).toBeLessThan(answerTime.seconds(question(chat, cpu(64))))
})

test('beyond its targets and their headroom, speed is worth nothing', () => {
  const targets = { ttftMs: 30_000, tpotMs: 1_000 }
  const chat = deployment('chat', 8, { targets })
  const onGpu = answerTime.seconds(question(chat, nvidia(24)))
  expect(answerTime.seconds(question(chat, nvidia(80)))).toBe(onGpu)
})

test('each doubling of a device beyond what is needed costs the same', () => {
  const little = deployment('little', 1, { contextTokens: 1_024 })
  const seconds = [8, 16, 32].map((gib) => oversize.seconds(question(little, nvidia(gib))))
  expect(seconds[1]! - seconds[0]!).toBeCloseTo(0.5)
  expect(seconds[2]! - seconds[1]!).toBeCloseTo(0.5)
})

test('the memory of the machine is not what is short', () => {
  expect(oversize.seconds(question(deployment('little', 1), cpu(256)))).toBe(0)
})

test.each([
  { task: 'chat', vendor: 'nvidia', bandwidth: 3_000, seconds: 0 },
  { task: 'embedding', vendor: 'nvidia', bandwidth: 3_000, seconds: 2 },
  { task: 'embedding', vendor: 'nvidia', bandwidth: 450, seconds: 1 },
  { task: 'embedding', vendor: 'amd', bandwidth: 90, seconds: 0 },
] as const)('$task on $bandwidth GB/s costs $seconds s', ({ task, vendor, bandwidth, seconds }) => {
  const wanted = deployment('x', 1, { task })
  const device = placementDevice(`${vendor}-0`, vendor, 24, bandwidth)
  expect(deviceClass.seconds(question(wanted, device))).toBe(seconds)
})

test.each([
  { bits: 16, seconds: 0 },
  { bits: 4.25, seconds: 0 },
  { bits: 3.2, seconds: 30 },
  { bits: 2.2, seconds: 60 },
])('weights of $bits bits cost $seconds s of quality', ({ bits, seconds }) => {
  const files = [variant('hf:x', 8, { facts: modelFacts(8, { bitsPerWeight: bits }) })]
  const chat = deployment('chat', 8, { variants: files })
  expect(quality.seconds(question(chat, nvidia(24)))).toBeCloseTo(seconds)
})

test.each([
  { name: 'not there, over 1 Gbit/s', weights: [], rate: 125e6, seconds: 1.6 },
  { name: 'not there, over 10 Gbit/s', weights: [], rate: 1.25e9, seconds: 0.16 },
  { name: 'there', weights: ['hf:x'], rate: 125e6, seconds: 0 },
])('10 GB that are $name cost $seconds s', ({ weights, rate, seconds }) => {
  const chat = deployment('chat', 0, { variants: [variant('hf:x', 1e10 / gibibyte)] })
  const node = placementNode('a', [], { weights, networkBytesPerSecond: rate })
  expect(fetchTime.seconds(chat, 0, node)).toBeCloseTo(seconds)
})

test('PreferNoSchedule costs, unless it is tolerated', () => {
  const taint = { key: 'batch', value: null, effect: 'PreferNoSchedule' as const }
  const node = placementNode('a', [], { taints: [taint] })
  const tolerations = [{ key: 'batch', value: null, effect: null }]
  expect(preferredNodes.seconds(deployment('chat', 8), 0, node)).toBe(10)
  const tolerant = deployment('chat', 8, { constraints: { tolerations } })
  expect(preferredNodes.seconds(tolerant, 0, node)).toBe(0)
})
