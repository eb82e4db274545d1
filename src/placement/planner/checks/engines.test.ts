import { expect, test } from 'vitest'
import { engines } from '#placement/planner/checks/engines.ts'
import { deployment, placementNode, testEngines, variant } from '#testing/placement-input.ts'

const [, llamaServer] = testEngines
const node = placementNode('a', [])

test.each([
  { allowed: null, ofVariant: null, refused: null },
  { allowed: ['llama-server'], ofVariant: ['llama-server', 'ollama'], refused: null },
  { allowed: ['vllm'], ofVariant: null, refused: 'llama-server is not among vllm' },
  { allowed: null, ofVariant: ['ollama'], refused: 'hf:x is for ollama' },
])('llama-server where $allowed are allowed, for $ofVariant', (row) => {
  const chat = deployment('chat', 8, { constraints: { engines: row.allowed } })
  const way = { variant: variant('hf:x', 8, { engines: row.ofVariant }), engine: llamaServer! }
  expect(engines.refuse(chat, way, node)?.what ?? null).toBe(row.refused)
})
