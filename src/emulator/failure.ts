/**
 * What can be wrong with a request, before an engine puts it into its own words. The wording here
 * is the common one; a dialect replaces what its engine says differently.
 */
export type Failure =
  | { readonly kind: 'bad-request'; readonly message: string; readonly param: string | null }
  | { readonly kind: 'unauthorized' }
  | { readonly kind: 'unknown-model'; readonly model: string }
  | { readonly kind: 'unknown-path'; readonly method: string }
  | { readonly kind: 'wrong-method'; readonly allow: string }
  | {
      readonly kind: 'context-length'
      readonly promptTokens: number
      readonly outputTokens: number
      readonly contextTokens: number
    }
  | { readonly kind: 'content-filter' }
  | { readonly kind: 'queue-full' }
  | { readonly kind: 'rate-limited' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'status'; readonly status: number }

export function statusOf(failure: Failure): number {
  switch (failure.kind) {
    case 'bad-request':
    case 'context-length':
    case 'content-filter':
      return 400
    case 'unauthorized':
      return 401
    case 'unknown-model':
    case 'unknown-path':
      return 404
    case 'wrong-method':
      return 405
    case 'rate-limited':
      return 429
    case 'queue-full':
    case 'loading':
      return 503
    case 'status':
      return failure.status
  }
}

export function messageOf(failure: Failure): string {
  switch (failure.kind) {
    case 'bad-request':
      return failure.message
    case 'unauthorized':
      return 'Unauthorized'
    case 'unknown-model':
      return `The model \`${failure.model}\` does not exist.`
    case 'unknown-path':
      return 'Not Found'
    case 'wrong-method':
      return 'Method Not Allowed'
    case 'context-length':
      return (
        `This model's maximum context length is ${failure.contextTokens} tokens. However, you ` +
        `requested ${failure.promptTokens + failure.outputTokens} tokens (${failure.promptTokens} in ` +
        `the messages, ${failure.outputTokens} in the completion).`
      )
    case 'content-filter':
      return 'The response was filtered because the prompt broke the content policy.'
    case 'queue-full':
      return 'The request queue is full.'
    case 'rate-limited':
      return 'Rate limit reached, please try again later.'
    case 'loading':
      return 'Loading model'
    case 'status':
      return failure.status >= 500 ? 'Internal server error' : 'The request was refused'
  }
}

/** A body that cannot be read. */
export const notJson = {
  kind: 'bad-request',
  message: 'The body is not a valid JSON object.',
  param: null,
} as const satisfies Failure
