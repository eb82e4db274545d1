import { asObject, jsonObject } from '#std/json-object.ts'

/** The error body of the OpenAI API, as every client library expects to find it. */
export interface OpenAiErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | number | null
  }
}

/** `type` by HTTP status, as the OpenAI API gives them. */
export function errorTypeOfStatus(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 404) return 'not_found_error'
  if (status === 429) return 'rate_limit_error'
  if (status >= 500) return 'server_error'
  return 'invalid_request_error'
}

export function openAiErrorBody(
  status: number,
  message: string,
  code: string | number | null = null,
  param: string | null = null,
): OpenAiErrorBody {
  return { error: { message, type: errorTypeOfStatus(status), param, code } }
}

/** Whether an error body is in OpenAI's nested form already, so that it can pass as it is. */
export function isOpenAiErrorBody(text: string): boolean {
  const body = jsonObject(text)
  // Anthropic's body nests its message in the same way, and says what it is.
  return body?.['type'] !== 'error' && typeof asObject(body?.['error'])?.['message'] === 'string'
}
