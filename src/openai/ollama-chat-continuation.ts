/** A chat of Ollama's own API goes on when it ends with what the assistant has said so far. */
import type { AnswerPart, Follower, TokensBefore, ToldAnswer } from '#openai/continuation.ts'
import { isSaid } from '#openai/is-said.ts'
import { count } from '#openai/usage.ts'
import { endsWithUser, wordsContinuation } from '#openai/words-continuation.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

export const ollamaChatContinuation = wordsContinuation({
  needsPrefill: true,
  settings: 'options',
  limits: ['num_predict'],
  forms: ['format'],
  fits: endsWithUser,
  insert(request, { text, thoughts }, { thoughtsAs }) {
    const thought = thoughtsAs === null ? {} : { thinking: thoughts }
    const message = { role: 'assistant', content: text, ...thought }
    return request.append('messages', `,${JSON.stringify(message)}`)
  },
  partOf(data): AnswerPart {
    const line = jsonObject(data)
    const { role: _, content, thinking, ...others } = asObject(line?.['message']) ?? {}
    return {
      text: typeof content === 'string' ? content : '',
      thoughts: typeof thinking === 'string' ? thinking : '',
      isWords: !Object.values(others).some(isSaid),
      isEnd: line?.['done'] === true,
    }
  },
  begin: () => new ToldLines(),
})

class ToldLines implements ToldAnswer {
  #isBegun = false

  note(data: string): void {
    this.#isBegun ||= asObject(jsonObject(data)?.['message']) !== null
  }

  /** Its lines are tied together by nothing but their order. */
  follow({ said, inPrompt }: TokensBefore): Follower | null {
    if (!this.#isBegun) return null
    return {
      retell(data, { text, thoughts }) {
        const line = jsonObject(data)
        const message = asObject(line?.['message'])
        if (message === null) return [`${data.trimEnd()}\n`]
        const { role, thinking, ...others } = message
        const thought = isSaid(thinking) ? { thinking: thoughts } : {}
        const words = { ...others, content: text, ...thought }
        const isEnd = line?.['done'] === true
        if (!isEnd && !Object.values(words).some(isSaid)) return []
        const counts = isEnd
          ? {
              prompt_eval_count: Math.max(0, (count(line['prompt_eval_count']) ?? 0) - inPrompt),
              eval_count: (count(line['eval_count']) ?? 0) + said,
            }
          : {}
        return [`${JSON.stringify({ ...line, message: { role, ...words }, ...counts })}\n`]
      },
    }
  }
}
