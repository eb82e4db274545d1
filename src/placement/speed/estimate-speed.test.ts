import { expect, test } from 'vitest'
import type { EngineMemory } from '#core/engine-memory.ts'
import type { SpeedReferences } from '#core/speed-references.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { activeWeights } from '#placement/speed/active-weights.ts'
import { estimateSpeed, type SpeedQuestion } from '#placement/speed/estimate-speed.ts'
import { testFacts } from '#testing/model-facts.ts'
import { gibibyte, testDevice } from '#testing/placement-devices.ts'

const wholeContext: EngineMemory = {
  ...{ kind: 'whole-context', batchTokens: 512, paddingTokens: 256, offloads: 'layers' },
  ...{ keepsTokenEmbeddingOnHost: true, flashAttention: [], kvCacheTypes: ['f16'] },
  ...{ processBytes: {}, slotsUsual: 4 },
}
const card = testDevice('nvidia', 24 * gibibyte, { memoryBandwidthBytesPerSecond: 1e12 })
const device = { id: 'd0', device: card, foreignBytes: 0 }
const node = {
  ...{ id: 'n', devices: [device], weights: ['hf:a/b'] },
  ...{ diskBytesPerSecond: 1e9, networkBytesPerSecond: 1e8 },
} as unknown as PlacementNode

const question: SpeedQuestion = {
  ...{ facts: testFacts(), model: 'm', source: 'hf:a/b', engine: 'llama-server', backend: 'cuda' },
  ...{ memory: wholeContext, node, devices: [device], tensorParallel: 1, offload: null },
  measured: [],
}
const active = activeWeights(question.facts)

const unknown: SpeedReferences = { kindOf: () => null, speeds: [] }
const known: SpeedReferences = {
  kindOf: () => ({ id: 'k', bandwidthBytesPerSecond: null, operationsPerSecond: 100e12 }),
  speeds: [
    {
      ...{ kind: 'k', backend: 'cuda', family: 'ggml' },
      ...{ activeBytes: active.bytes / 2, activeParameters: active.parameters / 4 },
      ...{ promptTokensPerSecond: 4_000, decodeTokensPerSecond: 100 },
    },
  ],
}

test('what was measured on this node counts before all else', () => {
  const own = { node: 'n', engine: 'llama-server' as const, model: 'm', quantization: 'Q4_K_M' }
  const measured = [{ ...own, promptTokensPerSecond: 77, decodeTokensPerSecond: 7 }]
  expect(estimateSpeed({ ...question, measured }, known)).toMatchObject({
    basis: 'measured',
    decodeTokensPerSecond: 7,
  })
  const elsewhere = measured.map((each) => ({ ...each, node: 'other' }))
  expect(estimateSpeed({ ...question, measured: elsewhere }, known).basis).toBe('similar')
})

test('a model of twice the bytes and four times the weights writes at half, reads at a quarter', () => {
  const speed = estimateSpeed(question, known)
  expect(speed.basis).toBe('similar')
  expect(speed.decodeTokensPerSecond).toBeCloseTo(50)
  expect(speed.promptTokensPerSecond).toBeCloseTo(1_000)
})

test('nothing published: six tenths of the bandwidth, and about a third of the computing rate', () => {
  const speed = estimateSpeed(question, { ...known, speeds: [] })
  expect(speed.basis).toBe('bandwidth')
  expect(speed.decodeTokensPerSecond).toBeCloseTo((0.6 * 1e12) / active.bytes)
  expect(speed.promptTokensPerSecond).toBeCloseTo((0.35 * 100e12) / (2 * active.parameters))
  expect(estimateSpeed(question, unknown).promptTokensPerSecond).toBeNull()
})

test('of experts only those in use are read', () => {
  const { tensorBytesByPart, tensorBytes } = question.facts
  const expertsByLayer = tensorBytesByPart.byLayer.map((bytes) => bytes / 2)
  const facts = testFacts({
    experts: { count: 8, usedPerToken: 2 },
    tensorBytesByPart: { ...tensorBytesByPart, expertsByLayer },
  })
  const idle = expertsByLayer.reduce((sum, bytes) => sum + bytes, 0) * 0.75
  expect(activeWeights(facts).bytes).toBe(tensorBytes - tensorBytesByPart.tokenEmbedding - idle)
})

test('layers on the CPU cost more than they take: half of them make it many times slower', () => {
  const offload = { layerCount: 32, layersOnHost: 16, expertLayersOnHost: 0 }
  const whole = estimateSpeed(question, unknown).decodeTokensPerSecond ?? 0
  const half = estimateSpeed({ ...question, offload }, unknown).decodeTokensPerSecond ?? 0
  expect(whole / half).toBeGreaterThan(8)
})

test('weights that are here start at the rate of the disk, others come by the network first', () => {
  const bytes = question.facts.tensorBytes
  const here = estimateSpeed(question, unknown).startMs ?? 0
  const far = estimateSpeed({ ...question, source: 'hf:c/d' }, unknown).startMs ?? 0
  expect(here).toBeCloseTo(bytes / 1e6 + 2_000, 0)
  expect(far - here).toBeCloseTo(bytes / 1e5, 0)
})
