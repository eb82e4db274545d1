/** What a request asks an engine to do. An endpoint serves some tasks for some of its models. */
export const tasks = [
  'chat',
  'completion',
  'responses',
  'messages',
  // The tokens of a message before it is asked for.
  'count-tokens',
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

/** What is answered word by word, from a prompt; of other work nobody counts tokens. */
const inWords: ReadonlySet<Task> = new Set<Task>([
  'chat',
  'completion',
  'responses',
  'messages',
  'ollama-chat',
  'ollama-generate',
])

export function isInWords(task: Task): boolean {
  return inWords.has(task)
}
