/** What all APIs ask alike of a request whose answer goes on elsewhere. */
import type {
  AnswerContinuation,
  AnswerPart,
  Prefill,
  SaidSoFar,
  ToldAnswer,
} from '#openai/continuation.ts'
import { RequestFields } from '#openai/request-fields.ts'
import { asObject } from '#std/json-object.ts'
import type { Splice } from '#std/splice-bytes.ts'

export function wordsContinuation(of: {
  readonly needsPrefill: boolean
  /** The object in a request that holds temperature and limits; left out: the request itself. */
  readonly settings?: string
  /** Where a request says how many tokens it wants at most. */
  readonly limits: readonly string[]
  /** The API's own fields by which an answer is held to a form. */
  readonly forms: readonly string[]
  fits(request: RequestFields): boolean
  /** Where what was said goes into the body. */
  insert(request: RequestFields, said: SaidSoFar, how: Prefill): Splice
  partOf(data: string): AnswerPart
  begin(): ToldAnswer
}): AnswerContinuation {
  const { settings } = of
  const setting = (request: RequestFields, name: string): unknown =>
    settings === undefined ? request.value(name) : asObject(request.value(settings))?.[name]
  const set = (request: RequestFields, name: string, value: unknown): Splice =>
    settings === undefined ? request.set(name, value) : request.set(settings, { [name]: value })
  const limitsOf = (request: RequestFields) =>
    of.limits.flatMap((name) => {
      const limit = setting(request, name)
      // Where a negative number is one, it stands for no limit.
      return typeof limit === 'number' && limit >= 0 ? [{ name, limit }] : []
    })
  return {
    needsPrefill: of.needsPrefill,
    fits(body, formFields) {
      const request = new RequestFields(body)
      // An engine would begin the form anew.
      const isAsked = (name: string) => holdsToForm(request.value(name))
      return !of.forms.some(isAsked) && !formFields.some(isAsked) && of.fits(request)
    },
    isRepeatable: (body) => setting(new RequestFields(body), 'temperature') === 0,
    askForRest(body, said, how) {
      const request = new RequestFields(body)
      return [
        of.insert(request, said, how),
        ...Object.entries(how.fields).map(([name, value]) => request.set(name, value)),
        ...limitsOf(request).map(({ name, limit }) =>
          set(request, name, Math.max(1, limit - said.tokens)),
        ),
      ]
    },
    tokensLeft(body, { tokens }) {
      const limits = limitsOf(new RequestFields(body)).map(({ limit }) => limit)
      return Math.min(...limits) - tokens
    },
    partOf: of.partOf,
    begin: of.begin,
  }
}

/** Whether a conversation waits for an answer: words that the client itself began stand in its end. */
export function endsWithUser(request: RequestFields): boolean {
  const messages = request.value('messages')
  if (!Array.isArray(messages) || messages.length === 0) return false
  return asObject(messages.at(-1))?.['role'] !== 'assistant'
}

function holdsToForm(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return false
  return asObject(value)?.['type'] !== 'text'
}
