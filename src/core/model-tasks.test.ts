import { expect, test } from 'vitest'
import type { ModelFacts } from '#core/model-facts.ts'
import { taskMismatch } from '#core/model-tasks.ts'
import type { Task } from '#core/task.ts'

const attention = [{ kvHeadCount: 8, windowTokens: null }]
const facts = {
  format: 'gguf',
  architecture: 'llama',
  pooling: null,
  chatTemplate: null,
  attention,
} as const
type Facts = Partial<Pick<ModelFacts, keyof typeof facts>>

test.each<[string, Facts, Task, string | null]>([
  ['a text model', {}, 'chat', null],
  ['a text model', {}, 'embedding', null],
  ['a text model', {}, 'transcription', 'text'],
  ['a text model', {}, 'speech', 'text'],
  [
    'a text model with ears',
    { architecture: 'VoxtralForConditionalGeneration' },
    'transcription',
    null,
  ],
  ['Whisper', { architecture: 'WhisperForConditionalGeneration' }, 'transcription', null],
  ['Whisper', { architecture: 'whisper', format: 'safetensors' }, 'chat', 'transcription'],
  ['faster-whisper', { format: 'ctranslate2', attention: [] }, 'chat', 'transcription'],
  ['Kokoro', { format: 'kokoro', attention: [] }, 'chat', 'speech'],
  ['an embedding model', { pooling: 'mean' }, 'embedding', null],
  ['an embedding model', { pooling: 'mean' }, 'chat', 'embedding'],
  ['one that chats as well', { pooling: 'mean', chatTemplate: '{{ x }}' }, 'chat', null],
  ['a reranker', { pooling: 'rank' }, 'rerank', null],
  ['a reranker', { pooling: 'rank' }, 'embedding', 'rerank'],
  ['a model whose headers tell nothing', { attention: [] }, 'image', null],
])('%s (%o) asked for %s: %s', (_name, of, task, madeFor) => {
  expect(taskMismatch({ ...facts, ...of }, task)?.madeFor ?? null).toBe(madeFor)
})
