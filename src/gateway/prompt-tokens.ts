import type { Exchange } from '#gateway/exchange.ts'

/** About four bytes a token of English, JSON around it included. */
export const bytesPerToken = 4

/** About how long the prompt of a request is; 0 where its body is no JSON, as of a recording. */
export function promptTokens({ body, route }: Pick<Exchange, 'body' | 'route'>): number {
  return route.api.body === 'json' ? Math.ceil((body?.length ?? 0) / bytesPerToken) : 0
}
