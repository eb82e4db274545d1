/** A completion goes on when what came of it so far stands at the end of its prompt. */
import { type ChoiceWords, choicesContinuation, isOver } from '#openai/choices-continuation.ts'
import { lastOf } from '#std/json-members.ts'

const textWords: ChoiceWords = {
  partOf(choice) {
    const { text } = choice
    return { text: typeof text === 'string' ? text : '', isWords: true, isEnd: isOver(choice) }
  },
  withText: (choice, text) => ({ ...choice, text }),
  isSaying: (choice) => isOver(choice) || choice['text'] !== '',
}

export const completionContinuation = choicesContinuation({
  needsPrefill: false,
  words: textWords,
  fits(field) {
    const isPlain = typeof field('prompt') === 'string' && (field('suffix') ?? '') === ''
    // Offsets into the text would begin anew.
    return isPlain && typeof field('logprobs') !== 'number'
  },
  insert(members, text) {
    const end = (lastOf(members, 'prompt')?.valueEnd ?? 1) - 1
    return { start: end, end, text: JSON.stringify(text).slice(1, -1) }
  },
})
