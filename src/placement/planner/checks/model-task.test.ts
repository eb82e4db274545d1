import { expect, test } from 'vitest'
import { modelTask } from '#placement/planner/checks/model-task.ts'
import { deployment, modelFacts, variant } from '#testing/placement-input.ts'

const attention = [{ kvHeadCount: 8, windowTokens: null }]
const llama = variant('hf:x', 8, { facts: modelFacts(8, { architecture: 'llama', attention }) })

test('a text model that is to transcribe is refused by name, with what would do', () => {
  expect(modelTask.refuse(deployment('stt', 8, { task: 'transcription' }), llama)).toMatchObject({
    code: 'task-mismatch',
    what: expect.stringMatching(/is made for text, and transcription is asked for/),
    unlockedBy: 'task: chat, or a model that does transcription',
  })
  expect(modelTask.refuse(deployment('chat', 8), llama)).toBeNull()
})

test('whose headers nobody has read is not refused', () => {
  const unread = variant('hf:x', 8, { facts: null })
  expect(modelTask.refuse(deployment('stt', 8, { task: 'transcription' }), unread)).toBeNull()
})
