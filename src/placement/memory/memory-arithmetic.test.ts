import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MemoryNeed } from '#placement/fit.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { shortagesOf } from '#placement/memory/accept-memory.ts'
import { type CorrectedSetting, correctMemory } from '#placement/memory/correct-memory.ts'
import { deviceRoom } from '#placement/memory/device-room.ts'
import { kvRequestBytes, kvShape } from '#placement/memory/kv-cache.ts'
import { splitLayers } from '#placement/memory/split-layers.ts'
import { testFacts } from '#testing/model-facts.ts'
import { gibibyte, testDevice } from '#testing/placement-devices.ts'

describe('kvShape()', () => {
  const room = { contextTokens: 8_192, paddingTokens: 256, batchTokens: 512 }
  const bytesOf = (facts: Parameters<typeof kvShape>[0], type: Parameters<typeof kvShape>[1]) => {
    const shape = kvShape(facts, type)
    return shape === null ? null : kvRequestBytes(shape, room)
  }

  test('32 layers of 8 heads of 128 keep 128 KiB of each token in 16 bit', () => {
    expect(bytesOf(testFacts(), 'f16')).toBe(8_192 * 128 * 1_024)
    expect(bytesOf(testFacts(), 'q8_0')).toBe(8_192 * 128 * 1_024 * (17 / 32))
  })

  test('a latent vector has no second half, and no heads', () => {
    const facts = testFacts({
      latentAttention: { kvLoraRank: 512, ropeDimension: 64 },
      layerCount: 61,
    })
    expect(bytesOf(facts, 'f16')).toBe(8_192 * 61 * 576 * 2)
  })

  test('a layer with a window keeps the window and the tokens of one step', () => {
    const attention = [
      { kvHeadCount: 8, windowTokens: null },
      { kvHeadCount: 8, windowTokens: 1_024 },
    ]
    const perToken = 8 * 256 * 2
    expect(bytesOf(testFacts({ attention }), 'f16')).toBe(perToken * (8_192 + 1_536))
  })

  test('a layer without attention keeps a state, however long the context is', () => {
    const attention = [{ kvHeadCount: 0, windowTokens: null }]
    const shape = kvShape(testFacts({ attention, embeddingLength: 2_048 }), 'f16')
    expect(shape?.bytesPerTokenByLayer).toEqual([0])
    expect(shape?.stateByLayer).toEqual([2 * 2 ** 20])
  })

  test('headers that do not tell give nothing, and encoders keep nothing', () => {
    expect(kvShape(testFacts({ attention: [] }), 'f16')).toBeNull()
    expect(bytesOf(testFacts({ pooling: 'cls' }), 'f16')).toBe(0)
  })
})

describe('splitLayers()', () => {
  test('equal devices get equal parts, the output counting as a layer of the last', () => {
    const ranges = splitLayers(32, [24, 24], 0)
    expect(ranges.map(({ begin, end }) => end - begin)).toEqual([17, 15])
    expect(splitLayers(32, [1, 1, 1, 1], 0).map(({ begin, end }) => end - begin)).toEqual([
      9, 8, 8, 7,
    ])
  })

  test('every layer is on exactly one device, whatever there is of them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 130 }),
        fc.array(fc.double({ min: 0, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 130 }),
        (layers, devices, left) => {
          const onHost = Math.min(left, layers)
          const ranges = splitLayers(layers, devices, onHost)
          const placed = ranges.flatMap(({ begin, end }) =>
            Array.from({ length: Math.max(0, end - begin) }, (_, index) => begin + index),
          )
          expect(placed).toEqual(
            Array.from({ length: layers - onHost }, (_, index) => onHost + index),
          )
          expect(ranges.filter(({ hasOutput }) => hasOutput)).toHaveLength(1)
        },
      ),
    )
  })
})

describe('deviceRoom()', () => {
  const nodeWith = (...devices: ReturnType<typeof testDevice>[]) =>
    ({
      devices: devices.map((device, index) => ({ id: `d${index}`, device, foreignBytes: 0 })),
    }) as unknown as PlacementNode
  const roomOf = (node: PlacementNode, index: number, promised = {}) => {
    const device = node.devices[index]
    if (device === undefined) throw new Error('no such device')
    return deviceRoom(device, node, promised).usableBytes / gibibyte
  }

  test('a card keeps its reserve and three percent, and what others hold is gone', () => {
    const memory = { reservedBytes: gibibyte / 2 }
    const node = nodeWith(testDevice('nvidia', 24 * gibibyte, { memory }))
    expect(roomOf(node, 0)).toBeCloseTo(23.5 - 0.03 * 23.5)
    expect(roomOf(node, 0, { d0: 4 * gibibyte })).toBeCloseTo(23.5 - 0.03 * 23.5 - 4)
  })

  test('Metal lets a GPU hold two thirds of 32 GiB and three quarters of 128', () => {
    expect(roomOf(nodeWith(testDevice('apple', 32 * gibibyte)), 0)).toBeCloseTo(21.3, 1)
    expect(roomOf(nodeWith(testDevice('apple', 128 * gibibyte)), 0)).toBeCloseTo(96)
    const raised = testDevice('apple', 32 * gibibyte, { memory: { limitBytes: 30 * gibibyte } })
    expect(roomOf(nodeWith(raised), 0)).toBeCloseTo(28)
  })

  test('what a GPU takes of the memory of the machine is gone for its CPU too', () => {
    const shared = { totalBytes: 60 * gibibyte, usedBytes: null }
    const gpu = testDevice('amd', 60 * gibibyte, { memory: { dedicated: null, shared } })
    const node = nodeWith(gpu, testDevice('cpu', 64 * gibibyte))
    expect(roomOf(node, 0)).toBeCloseTo(60)
    expect(roomOf(node, 1)).toBeCloseTo(60)
    expect(roomOf(node, 1, { d0: 40 * gibibyte })).toBeCloseTo(20)
  })
})

describe('correctMemory()', () => {
  const need: MemoryNeed = {
    devices: [{ device: 'd0', terms: [], needBytes: 1_000, usableBytes: 2_000 }],
    ...{ hostBytes: 0, hostTerms: [], layersOnDevices: null, kvCacheTokens: null },
    confidence: 'estimated',
  }
  const setting: CorrectedSetting = {
    ...{ engine: 'llama-server', backend: 'cuda', model: 'm', quantization: 'Q4_K_M' },
    ...{ contextTokens: 8_192, slots: 4 },
  }
  const seen = { ...setting, node: 'n', takenBytes: 1_100, estimatedBytes: 1_000 }

  test('what was measured in this setting replaces the estimate', () => {
    const corrected = correctMemory(need, setting, [seen])
    expect(corrected.confidence).toBe('measured')
    expect(corrected.devices[0]?.needBytes).toBe(1_100)
    expect(corrected.devices[0]?.terms).toMatchObject([{ name: 'correction', bytes: 100 }])
  })

  test('what was measured in another setting adds as much, within reason', () => {
    const other = { ...seen, contextTokens: 4_096 }
    const corrected = correctMemory(need, setting, [other])
    expect(corrected.confidence).toBe('corrected')
    expect(corrected.devices[0]?.needBytes).toBe(1_100)
    const odd = correctMemory(need, setting, [{ ...other, takenBytes: 5_000 }])
    expect(odd.devices[0]?.needBytes).toBe(1_300)
  })

  test('a tiny model that took little makes the weights of a large one no smaller', () => {
    const terms = [
      { name: 'weights' as const, bytes: 800, why: '' },
      { name: 'overhead' as const, bytes: 200, why: '' },
    ]
    const large = { ...need, devices: need.devices.map((device) => ({ ...device, terms })) }
    const tiny = { ...seen, model: 'tiny', takenBytes: 10, estimatedBytes: 160 }
    const corrected = correctMemory(large, setting, [tiny])
    expect(corrected.devices[0]?.needBytes).toBe(850)
    expect(corrected.confidence).toBe('estimated')
    const wrong = { ...tiny, estimatedBytes: 900 }
    expect(correctMemory(large, setting, [wrong]).devices[0]?.needBytes).toBe(800)
  })

  test('another engine or backend says nothing', () => {
    const others = [
      { ...seen, engine: 'ollama' as const },
      { ...seen, backend: 'vulkan' as const },
    ]
    expect(correctMemory(need, setting, others)).toBe(need)
  })

  test('less certainty leaves more room: 90, 95 and 100 percent may be promised', () => {
    const fits = (confidence: MemoryNeed['confidence'], needBytes: number) =>
      shortagesOf(
        {
          ...need,
          confidence,
          devices: [{ device: 'd0', terms: [], needBytes, usableBytes: 1_000 }],
        },
        'whole-context',
        0,
      ).length === 0
    expect([fits('estimated', 900), fits('estimated', 901)]).toEqual([true, false])
    expect([fits('corrected', 950), fits('corrected', 951)]).toEqual([true, false])
    expect([fits('measured', 1_000), fits('measured', 1_001)]).toEqual([true, false])
  })
})

test.each([
  { name: 'a limit', limitGib: 8, foreignGib: 0, promisedGib: 0, usableGib: 8 },
  { name: 'what is promised of it', limitGib: 8, foreignGib: 0, promisedGib: 5, usableGib: 3 },
  { name: "others' programs beside it", limitGib: 8, foreignGib: 10, promisedGib: 0, usableGib: 8 },
  { name: 'more than is promised', limitGib: 8, foreignGib: 0, promisedGib: 9, usableGib: 0 },
])('a card is used up to $name', ({ limitGib, foreignGib, promisedGib, usableGib }) => {
  const card = testDevice('nvidia', 24 * gibibyte, { memory: { limitBytes: limitGib * gibibyte } })
  const device = { id: 'nvidia-0', device: card, foreignBytes: foreignGib * gibibyte }
  const node = { devices: [device] } as unknown as PlacementNode
  const room = deviceRoom(device, node, { 'nvidia-0': promisedGib * gibibyte })
  expect(room.usableBytes / gibibyte).toBe(usableGib)
})
