import { expect, test } from 'vitest'
import { task } from '#placement/planner/checks/task.ts'
import { deployment, placementNode, testEngines, variant } from '#testing/placement-input.ts'

test.each([
  { tasks: null, ok: true },
  { tasks: ['chat', 'embedding'], ok: true },
  { tasks: ['transcription'], ok: false },
] as const)('an engine for $tasks does chat: $ok', ({ tasks, ok }) => {
  const way = { variant: variant('hf:x', 8), engine: { ...testEngines[0]!, tasks } }
  expect(task.refuse(deployment('chat', 8), way, placementNode('a', [])) === null).toBe(ok)
})
