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
  const limitsOf = (request: RequestFields) =>
    of.limits.flatMap((name) => {
      const limit = request.value(name)
      return typeof limit === 'number' ? [{ name, limit }] : []
    })
  return {
    needsPrefill: of.needsPrefill,
    fits(body, formFields) {
      const request = new RequestFields(body)
      // An engine would begin the form anew.
      const isAsked = (name: string) => holdsToForm(request.value(name))
      return !of.forms.some(isAsked) && !formFields.some(isAsked) && of.fits(request)
    },
    isRepeatable: (body) => new RequestFields(body).value('temperature') === 0,
    askForRest(body, said, how) {
      const request = new RequestFields(body)
      return [
        of.insert(request, said, how),
        ...Object.entries(how.fields).map(([name, value]) => request.set(name, value)),
        ...limitsOf(request).map(({ name, limit }) =>
          request.set(name, Math.max(1, limit - said.tokens)),
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

function holdsToForm(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return false
  return asObject(value)?.['type'] !== 'text'
}
