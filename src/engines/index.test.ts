import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointConfig } from '#core/config/endpoints.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { tasks } from '#core/task.ts'
import type { EngineNeed } from '#engines/engine-candidates.ts'
import { engines, enginesFor } from '#engines/index.ts'

const candidates = (need: EngineNeed): readonly string[] =>
  enginesFor(need).candidates.map(({ engine }) => engine.id)

const reasons = (need: EngineNeed, id: string): readonly string[] | undefined =>
  enginesFor(need).refused.find(({ engine }) => engine.id === id)?.reasons

test('configuration may name every engine there is, and no other', () => {
  expect(engineIds.toSorted()).toEqual(engines.map(({ id }) => id).toSorted())
  for (const { id } of engines) {
    const read = endpointConfig.safeParse({ url: 'http://node0:8001', engine: id })
    expect(read.success && read.data.engine, id).toBe(id)
  }
})

test.each<{ need: EngineNeed; ids: readonly string[] }>([
  {
    need: { backend: 'cuda', format: 'safetensors', task: 'chat', os: 'linux' },
    ids: ['vllm', 'sglang', 'tensorrt-llm'],
  },
  {
    need: { backend: 'cuda', format: 'safetensors', task: 'embedding', os: 'linux' },
    ids: ['vllm', 'sglang', 'tei', 'infinity'],
  },
  {
    need: { backend: 'vulkan', format: 'gguf', task: 'chat', os: 'linux' },
    ids: ['llama-server', 'motley-embedded'],
  },
  {
    need: { backend: 'metal', format: 'mlx', task: 'chat', os: 'macos' },
    ids: ['mlx-lm'],
  },
  {
    need: { backend: 'level-zero', format: 'openvino', task: 'chat', os: 'linux' },
    ids: ['openvino'],
  },
  {
    need: { backend: 'rocm', format: 'ggml', task: 'transcription', os: 'linux' },
    ids: ['whisper-cpp'],
  },
  { need: { backend: 'cpu', format: 'kokoro', task: 'speech', os: 'windows' }, ids: ['kokoro'] },
])('$need.format for $need.task on $need.backend: $ids', ({ need, ids }) => {
  expect(candidates(need)).toEqual(ids)
})

test('every reason against an engine is given at once', () => {
  const need = { backend: 'metal', format: 'gguf', task: 'speech', os: 'macos' } as const
  expect(reasons(need, 'vllm')).toEqual([
    'it runs on cuda, rocm, level-zero, cpu, not on metal',
    'it reads safetensors, not gguf',
    'it has no speech',
  ])
  expect(reasons(need, 'openai')).toEqual(['somebody else starts it'])
})

test('a system that an engine does not run on is named', () => {
  const need = { backend: 'cuda', format: 'safetensors', task: 'embedding', os: 'windows' } as const
  expect(reasons(need, 'tei')).toEqual(['for cuda it runs on linux, not on windows'])
})

test('every engine is a candidate with builds, or refused with reasons', () => {
  const anyNeed = fc.record({
    backend: fc.constantFrom(...backends),
    format: fc.constantFrom(...new Set(engines.flatMap((engine) => engine.weightsFormats))),
    task: fc.constantFrom(...tasks),
    os: fc.constantFrom('linux', 'macos', 'windows'),
  })
  fc.assert(
    fc.property(anyNeed, (need) => {
      const choice = enginesFor(need)
      const found = [...choice.candidates, ...choice.refused].map(({ engine }) => engine.id)
      expect(found.toSorted()).toEqual(engines.map(({ id }) => id).toSorted())
      expect(choice.candidates.every(({ supports }) => supports.length > 0)).toBe(true)
      expect(choice.refused.every(({ reasons }) => reasons.length > 0)).toBe(true)
    }),
  )
})
