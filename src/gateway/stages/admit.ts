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

/** What a request came to: as the engine counted, or guessed from what went back and forth. */
export function usedTokens(exchange: Exchange): number {
  const { usage } = exchange
  if (usage !== null) return usage.promptTokens + usage.completionTokens
  // Nothing was generated for a request that no engine began to answer.
  if (exchange.ttftMs === null) return 0
  const answered = exchange.asked?.stream
    ? exchange.events
    : Math.ceil(exchange.bytesOut / bytesPerToken)
  return promptTokens(exchange) + answered
}
