/** What engines say when they refuse: five shapes, and one thing to read from them. */
import { asObject, jsonObject } from '#std/json-object.ts'

/**
 * The message of an engine's error body: OpenAI's nested form, the flat form, `{"error": "text"}`,
 * `{"message": …}` or FastAPI's `{"detail": …}`. Null when there is none.
 */
export function errorMessageIn(body: string): string | null {
  const object = jsonObject(body)
  if (object === null) return body.trim() === '' || body.length > 500 ? null : oneLine(body)
  const error = object['error']
  if (typeof error === 'string') return oneLine(error)
  const message = asObject(error)?.['message']
  if (typeof message === 'string') return oneLine(message)
  if (typeof object['message'] === 'string') return oneLine(object['message'])
  const detail = object['detail']
  if (typeof detail === 'string') return oneLine(detail)
  if (Array.isArray(detail)) {
    const first: unknown = detail[0]?.msg
    if (typeof first === 'string') return oneLine(first)
  }
  return null
}

/** Whether an error event says that the request is wrong, and would be at every engine. */
export function isRefusal(data: string): boolean {
  const code = asObject(jsonObject(data)?.['error'])?.['code']
  return typeof code === 'number' && code >= 400 && code < 500 && code !== 408 && code !== 429
}

/** Whether an engine refused because prompt and answer are longer than its context. */
export function isContextOverflow(status: number, body: string): boolean {
  if (status !== 400) return false
  return /context_length_exceeded|exceed_context_size|maximum context length|context (length|size|window)/i.test(
    body,
  )
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
