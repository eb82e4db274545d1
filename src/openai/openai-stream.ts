/** The stream of OpenAI's chat and completions: `data:` events, `[DONE]` at the end. */
import { openAiErrorBody } from '#openai/error.ts'
import { isSaid } from '#openai/is-said.ts'
import type { StreamShape } from '#openai/stream-shape.ts'
import { readUsage } from '#openai/usage.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

export const openAiStream: StreamShape = {
  framing: 'sse',
  endMarker: 'data: [DONE]\n\n',
  meaning(data) {
    if (data.trim() === '[DONE]') return 'end'
    const frame = jsonObject(data)
    if (frame === null) return 'more'
    if (frame['error'] !== undefined && frame['error'] !== null) return 'error'
    const choices = frame['choices']
    if (!Array.isArray(choices)) return 'more'
    // With n > 1 each choice ends in an event of its own; the usage event comes after them all.
    if (choices.length === 0) return frame['usage'] ? 'complete' : 'more'
    return choices.every(hasEnded) ? 'choices-end' : 'more'
  },
  endedChoices(data) {
    if (!/"finish_reason"\s*:\s*"/.test(data)) return []
    const choices = jsonObject(data)?.['choices']
    if (!Array.isArray(choices)) return []
    return choices.filter(hasEnded).map((choice) => choice.index ?? 0)
  },
  errorFrame({ status, code, message, param }) {
    return `data: ${JSON.stringify(openAiErrorBody(status, message, code, param))}\n\n`
  },
  isContent(data) {
    const choices = jsonObject(data)?.['choices']
    return (
      Array.isArray(choices) &&
      choices.some((choice) => isSaid(choice?.text) || says(choice?.delta))
    )
  },
  readUsage: (data) => readUsage(jsonObject(data)?.['usage']),
}

/** Content, reasoning by whatever name, a refusal or tool calls. */
function says(delta: unknown): boolean {
  const { role: _, ...said } = asObject(delta) ?? {}
  return Object.values(said).some(isSaid)
}

function hasEnded(choice: { readonly finish_reason?: unknown } | null): boolean {
  return typeof choice?.finish_reason === 'string'
}
