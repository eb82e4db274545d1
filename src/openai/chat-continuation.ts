/** A chat goes on when it ends with what the assistant has said so far. */
import { type ChoiceWords, choicesContinuation, isOver } from '#openai/choices-continuation.ts'
import { isSaid } from '#openai/is-said.ts'
import { lastOf } from '#std/json-members.ts'
import { asObject } from '#std/json-object.ts'

const deltaWords: ChoiceWords = {
  partOf(choice) {
    const { role: _, content, ...others } = asObject(choice['delta']) ?? {}
    const isWords = !Object.values(others).some(isSaid)
    return { text: typeof content === 'string' ? content : '', isWords, isEnd: isOver(choice) }
  },
  withText(choice, text) {
    const { role: _, content: __, ...others } = asObject(choice['delta']) ?? {}
    return { ...choice, delta: text === '' ? others : { ...others, content: text } }
  },
  isSaying: (choice) =>
    isOver(choice) || Object.values(asObject(choice['delta']) ?? {}).some(isSaid),
}

export const chatContinuation = choicesContinuation({
  needsPrefill: true,
  words: deltaWords,
  fits(field) {
    if (field('continue_final_message') === true) return false
    const choice = field('tool_choice')
    if (choice === 'required' || asObject(choice) !== null) return false
    const messages = field('messages')
    if (!Array.isArray(messages) || messages.length === 0) return false
    // Words that the client itself began stand in its last message already.
    return asObject(messages.at(-1))?.['role'] !== 'assistant'
  },
  insert(members, text) {
    const end = (lastOf(members, 'messages')?.valueEnd ?? 1) - 1
    const message = JSON.stringify({ role: 'assistant', content: text })
    return { start: end, end, text: `,${message}` }
  },
})
