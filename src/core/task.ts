/** What a request asks an engine to do. An endpoint serves some tasks for some of its models. */
export const tasks = [
  'chat',
  'completion',
  'responses',
  'messages',
  'embedding',
  'rerank',
  'score',
  'transcription',
  'translation',
  'speech',
  'image',
  'tokenize',
  // Ollama's own API, which says and streams the same things in other words.
  'ollama-chat',
  'ollama-generate',
  'ollama-embed',
] as const

export type Task = (typeof tasks)[number]
