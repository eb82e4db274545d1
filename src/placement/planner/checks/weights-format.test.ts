import { expect, test } from 'vitest'
import { weightsFormat } from '#placement/planner/checks/weights-format.ts'
import { deployment, placementNode, testEngines, variant } from '#testing/placement-input.ts'

const [vllm, llamaServer] = testEngines

test.each([
  { engine: vllm!, format: 'safetensors', refused: null },
  { engine: vllm!, format: 'gguf', refused: 'vllm does not read gguf' },
  { engine: llamaServer!, format: 'gguf', refused: null },
] as const)('$engine.id and $format', ({ engine, format, refused }) => {
  const way = { variant: variant('hf:x', 8, { format }), engine }
  const blocker = weightsFormat.refuse(deployment('chat', 8), way, placementNode('a', []))
  expect(blocker?.what ?? null).toBe(refused)
})
