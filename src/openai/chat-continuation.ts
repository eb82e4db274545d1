/** A chat goes on when it ends with what the assistant has said so far. */
import { type ChoiceWords, choicesFrames, isOver } from '#openai/choices-continuation.ts'
import { isSaid } from '#openai/is-said.ts'
import { endsWithUser, wordsContinuation } from '#openai/words-continuation.ts'
import { asObject } from '#std/json-object.ts'

const deltaWords: ChoiceWords = {
  partOf(choice) {
    const { role: _, content, ...others } = asObject(choice['delta']) ?? {}
    const { reasoning, reasoning_content: older, ...more } = others
    return {
      text: textOf(content),
      thoughts: textOf(reasoning) || textOf(older),
      isWords: !Object.values(more).some(isSaid),
      isEnd: isOver(choice),
    }
  },
  withText(choice, text) {
    const { role: _, content: __, ...others } = asObject(choice['delta']) ?? {}
    return { ...choice, delta: text === '' ? others : { ...others, content: text } }
  },
  isSaying: (choice) =>
    isOver(choice) || Object.values(asObject(choice['delta']) ?? {}).some(isSaid),
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

export const chatContinuation = wordsContinuation({
  needsPrefill: true,
  limits: ['max_tokens', 'max_completion_tokens'],
  forms: ['response_format', 'echo'],
  fits(request) {
    const choice = request.value('tool_choice')
    return choice !== 'required' && asObject(choice) === null && endsWithUser(request)
  },
  insert(request, { text, thoughts }, { thoughtsAs }) {
    const thought = (thoughtsAs ?? []).map((name) => [name, thoughts])
    const message = { role: 'assistant', content: text, ...Object.fromEntries(thought) }
    return request.append('messages', `,${JSON.stringify(message)}`)
  },
  ...choicesFrames(deltaWords),
})
