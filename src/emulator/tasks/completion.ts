import { readPrompt } from '#emulator/conversation.ts'
import type { ChunkWishes } from '#emulator/formats/chunk-stream.ts'
import { CompletionStream, wholeCompletion } from '#emulator/formats/completion.ts'
import { isTrue, numberField, textsField } from '#emulator/request-fields.ts'
import { serveAnswer } from '#emulator/serve-answer.ts'
import { streamWishes } from '#emulator/tasks/chat.ts'
import { generate } from '#emulator/tasks/generation.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'

export const completion: TaskHandler = (request) => {
  const { exchange, body, model } = request
  const [prompt] = textsField(body, 'prompt')
  if (prompt === undefined) {
    exchange.refuse('prompt must be a text.', 'prompt')
    return
  }
  const written = generate(request, {
    idPrefix: 'cmpl-',
    conversation: readPrompt(prompt),
    maxTokens: numberField(body, 'max_tokens') ?? defaultMaxTokens,
    choices: numberField(body, 'n') ?? 1,
  })
  if (written === null) return
  const wishes: ChunkWishes = {
    ...streamWishes(body, exchange.machine.dialect.stream.continuousUsage),
    logprobs: numberField(body, 'logprobs') !== null,
    repeated: isTrue(body, 'echo') ? prompt : '',
  }
  serveAnswer(exchange, {
    answer: written.answer,
    loadMs: exchange.machine.residencyDelayMs(model, null),
    stream: isTrue(body, 'stream') ? new CompletionStream(written, wishes) : null,
    whole: (timing) => wholeCompletion(written, wishes, timing),
  })
}

/** This API has always stopped here when nobody says how much is wanted. */
const defaultMaxTokens = 16
