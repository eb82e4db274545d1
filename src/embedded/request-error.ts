import { errorTypeOfStatus } from '#openai/error.ts'

/** A request that cannot be answered, with everything its JSON error body says. */
export class RequestError extends Error {
  readonly status: number
  readonly code: string | null
  readonly param: string | null
  readonly type: string
  /** Further fields of the error object, such as the numbers of a prompt that is too long. */
  readonly fields: Readonly<Record<string, number | string>>

  constructor(
    status: number,
    message: string,
    options: {
      readonly code?: string
      readonly param?: string
      readonly type?: string
      readonly fields?: Readonly<Record<string, number | string>>
    } = {},
  ) {
    super(message)
    this.status = status
    this.code = options.code ?? null
    this.param = options.param ?? null
    this.type = options.type ?? errorTypeOfStatus(status)
    this.fields = options.fields ?? {}
  }

  toBody(): { readonly error: Readonly<Record<string, unknown>> } {
    const { message, type, param, code, fields } = this
    return { error: { message, type, param, code, ...fields } }
  }
}

/** The value of one parameter is wrong: 400, naming it. */
export function invalidValue(param: string, message: string): RequestError {
  return new RequestError(400, message, { code: 'invalid_value', param })
}

/** The parameter is known, and this engine cannot do what it asks for. */
export function unsupported(param: string, message: string): RequestError {
  return new RequestError(400, message, { code: 'unsupported_parameter', param })
}
