/** A chat goes on when it ends with what the assistant has said so far. */
import { type ChoiceWords, choicesFrames, isOver } from '#openai/choices-continuation.ts'
import { isSaid } from '#openai/is-said.ts'
import { endsWithUser, wordsContinuation } from '#openai/words-continuation.ts'
import { asObject } from '#std/json-object.ts'

/** The field of a delta that holds thoughts has two names. */
const thoughtNames: readonly string[] = ['reasoning', 'reasoning_content']

const deltaWords: ChoiceWords = {
  partOf(choice) {
    const { role: _, content, ...others } = asObject(choice['delta']) ?? {}
    const thoughts = thoughtNames.map((name) => textOf(others[name])).find(isSaid)
    return {
      text: textOf(content),
      thoughts: thoughts ?? '',
      isWords: !Object.entries(others).some(
        ([name, value]) => !thoughtNames.includes(name) && isSaid(value),
      ),
      isEnd: isOver(choice),
    }
  },
  withWords(choice, { text, thoughts }) {
    const { role: _, content: __, ...others } = asObject(choice['delta']) ?? {}
    const delta = Object.fromEntries(
      Object.entries(others).map(([name, value]) =>
        thoughtNames.includes(name) && isSaid(value) ? [name, thoughts] : [name, value],
      ),
    )
    return { ...choice, delta: text === '' ? delta : { ...delta, content: text } }
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
