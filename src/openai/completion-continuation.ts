/** A completion goes on when what came of it so far stands at the end of its prompt. */
import { type ChoiceWords, choicesContinuation } from '#openai/choices-continuation.ts'
import { lastOf } from '#std/json-members.ts'

const textWords: ChoiceWords = {
  partOf({ text }) {
    return { text: typeof text === 'string' ? text : '', isWords: true }
  },
  withText(choice, text) {
    const isOver = typeof choice['finish_reason'] === 'string'
    return isOver || text !== '' ? { ...choice, text } : null
  },
}

export const completionContinuation = choicesContinuation({
  needsPrefill: false,
  words: textWords,
  fits(field) {
    const isPlain = typeof field('prompt') === 'string' && (field('suffix') ?? '') === ''
    // Offsets into the text would begin anew.
    return isPlain && field('echo') !== true && typeof field('logprobs') !== 'number'
  },
  insert(_body, members, text) {
    const end = (lastOf(members, 'prompt')?.valueEnd ?? 1) - 1
    return { start: end, end, text: JSON.stringify(text).slice(1, -1) }
  },
})
