/** Ollama's native API: lines of JSON, the last one says `done` and carries the counts. */
import { isSaid } from '#openai/is-said.ts'
import type { StreamShape } from '#openai/stream-shape.ts'
import { count, type Usage } from '#openai/usage.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

export function readOllamaUsage(field: (name: string) => unknown): Usage | null {
  const promptTokens = count(field('prompt_eval_count'))
  const completionTokens = count(field('eval_count'))
  if (promptTokens === null && completionTokens === null) return null
  return {
    promptTokens: promptTokens ?? 0,
    completionTokens: completionTokens ?? 0,
    cachedTokens: null,
  }
}

export const ollamaStream: StreamShape = {
  framing: 'ndjson',
  endMarker: null,
  meaning(data) {
    const line = jsonObject(data)
    if (line?.['error'] !== undefined) return 'error'
    return line?.['done'] === true ? 'end' : 'more'
  },
  errorFrame: ({ message }) => `${JSON.stringify({ error: message })}\n`,
  isContent(data) {
    const line = jsonObject(data)
    const { role: _, ...said } = asObject(line?.['message']) ?? {}
    return [line?.['response'], line?.['thinking'], ...Object.values(said)].some(isSaid)
  },
  readUsage(data) {
    const line = jsonObject(data)
    return readOllamaUsage((name) => line?.[name])
  },
}
