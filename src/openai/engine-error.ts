/** What engines say when they refuse: five shapes, and one thing to read from them. */

/**
 * The message of an engine's error body: OpenAI's nested form, the flat form, `{"error": "text"}`,
 * `{"message": …}` or FastAPI's `{"detail": …}`. Null when there is none.
 */
export function errorMessageIn(body: string): string | null {
  const object = parseObject(body)
  if (object === null) return body.trim() === '' || body.length > 500 ? null : oneLine(body)
  const error = object['error']
  if (typeof error === 'string') return oneLine(error)
  if (typeof error === 'object' && error !== null) {
    const message = (error as Record<string, unknown>)['message']
    if (typeof message === 'string') return oneLine(message)
  }
  if (typeof object['message'] === 'string') return oneLine(object['message'])
  const detail = object['detail']
  if (typeof detail === 'string') return oneLine(detail)
  if (Array.isArray(detail)) {
    const first: unknown = detail[0]?.msg
    if (typeof first === 'string') return oneLine(first)
  }
  return null
}

/** Whether the body is in OpenAI's nested form already, so that it can pass as it is. */
export function isOpenAiError(body: string): boolean {
  const error = parseObject(body)?.['error']
  return (
    typeof error === 'object' &&
    error !== null &&
    typeof (error as Record<string, unknown>)['message'] === 'string'
  )
}

/** Whether an engine refused because prompt and answer are longer than its context. */
export function isContextOverflow(status: number, body: string): boolean {
  if (status !== 400) return false
  return /context_length_exceeded|exceed_context_size|maximum context length|context (length|size|window)/i.test(
    body,
  )
}

function parseObject(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
