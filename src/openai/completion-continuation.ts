/** A completion goes on when what came of it so far stands at the end of its prompt. */
import { type ChoiceWords, choicesFrames, isOver } from '#openai/choices-continuation.ts'
import { nothingSaid } from '#openai/continuation.ts'
import { wordsContinuation } from '#openai/words-continuation.ts'

const textWords: ChoiceWords = {
  partOf(choice) {
    const { text } = choice
    return { ...nothingSaid, text: typeof text === 'string' ? text : '', isEnd: isOver(choice) }
  },
  withWords: (choice, { text }) => ({ ...choice, text }),
  isSaying: (choice) => isOver(choice) || choice['text'] !== '',
}

export const completionContinuation = wordsContinuation({
  needsPrefill: false,
  limits: ['max_tokens'],
  // What begins with an echo would begin with it anew.
  forms: ['echo', 'response_format'],
  fits(request) {
    const isPlain = typeof request.value('prompt') === 'string'
    // Offsets into the text would begin anew.
    const isNumbered = typeof request.value('logprobs') === 'number'
    return isPlain && !isNumbered && (request.value('suffix') ?? '') === ''
  },
  insert: (request, { text }) => request.append('prompt', JSON.stringify(text).slice(1, -1)),
  ...choicesFrames(textWords),
})
