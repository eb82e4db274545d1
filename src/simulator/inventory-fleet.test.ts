import { expect, test } from 'vitest'
import type { SpeedReferences } from '#core/speed-references.ts'
import type { PlacedReplica } from '#placement/inventory.ts'
import { inventoryFleet } from '#simulator/inventory-fleet.ts'
import { cpu, inventory, nvidia, placementNode } from '#testing/placement-input.ts'

const references: SpeedReferences = {
  kindOf: ({ vendor }) =>
    vendor === 'nvidia'
      ? { id: 'rtx-4090', bandwidthBytesPerSecond: 1e12, operationsPerSecond: null }
      : null,
  speeds: [],
}

const replica = (devices: readonly string[]): PlacedReplica => ({
  ...{ id: 'r1', deployment: null, node: 'pc', devices, engine: 'vllm', backend: 'cuda' },
  ...{ source: 'hf:some/model', contextTokens: 8_192, slots: 24, memoryFraction: null },
  ...{ ready: true, claimedBytes: {}, measuredBytes: null },
})

test('a node without replicas has an endpoint for each GPU, and one without GPUs for its CPU', () => {
  const nodes = [
    placementNode('pc', [nvidia(24), nvidia(24, 1), cpu(64)]),
    placementNode('box', [cpu(64)]),
  ]
  const { endpoints, unknown } = inventoryFleet(inventory(nodes), references)
  expect(endpoints.map(({ name, device }) => `${name}: ${device}`)).toEqual([
    'pc-nvidia-0: rtx-4090',
    'pc-nvidia-1: rtx-4090',
  ])
  expect(unknown).toHaveLength(1)
})

test('what was measured there counts more than the name of the device', () => {
  const nodes = [placementNode('pc', [nvidia(24), nvidia(24, 1)])]
  const { endpoints } = inventoryFleet(
    {
      ...inventory(nodes),
      replicas: [replica(['nvidia-1'])],
      speeds: [
        {
          ...{ node: 'pc', engine: 'vllm', model: 'some-model', quantization: null },
          ...{ promptTokensPerSecond: 5_120, decodeTokensPerSecond: 50 },
        },
      ],
    },
    references,
  )
  expect(endpoints).toMatchObject([
    {
      name: 'pc-nvidia-1',
      slots: 24,
      basis: 'measured with some-model',
      stepTime: {
        linear: [
          [1, 20],
          [512, 100],
        ],
      },
    },
  ])
})

test('a recording answers nothing, and is no endpoint', () => {
  const nodes = [
    { ...placementNode('recorded', [nvidia(24)]), isRecording: true },
    placementNode('pc', [nvidia(24)]),
  ]
  const { endpoints } = inventoryFleet(inventory(nodes), references)
  expect(endpoints.map(({ name }) => name)).toEqual(['pc-nvidia-0'])
})
