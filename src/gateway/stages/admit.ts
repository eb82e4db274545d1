/** What a key may use is reserved before a request runs, and settled when it is over. */
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { type Admission, checkModelAllowed } from '#gateway/key-ring.ts'
import { bytesPerToken, promptTokens } from '#gateway/prompt-tokens.ts'

/** Reserved for an answer whose length the client did not limit. */
const answerTokensGuess = 256

/** Throws `model_not_allowed` or `rate_limited`. */
export function admit(state: GatewayState, exchange: Exchange): Admission {
  const { asked, key } = exchange
  if (asked === null) throw new Error('a request is parsed before it is admitted')
  checkModelAllowed(key, asked.modelText, asked.model)
  const tokens = promptTokens(exchange) + (asked.maxTokens ?? answerTokensGuess)
  return state.keys.admit(key, tokens, state.nowMs())
}

/** What a request came to: as it was reported or counted, or guessed from what went back and forth. */
export function usedTokens(exchange: Exchange): number {
  const { asked, spent, ttftMs, events, bytesOut } = exchange
  if (spent !== null) return spent.promptTokens + spent.completionTokens
  // Nothing was generated for a request that no engine began to answer.
  if (ttftMs === null) return 0
  return promptTokens(exchange) + (asked?.stream ? events : Math.ceil(bytesOut / bytesPerToken))
}
