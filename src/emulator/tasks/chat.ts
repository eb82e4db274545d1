import { readMessages } from '#emulator/conversation.ts'
import { ChatStream, wholeChat } from '#emulator/formats/chat.ts'
import type { ChunkWishes } from '#emulator/formats/chunk-stream.ts'
import {
  type Fields,
  fieldsField,
  isTrue,
  listField,
  numberField,
} from '#emulator/request-fields.ts'
import { serveAnswer } from '#emulator/serve-answer.ts'
import { chosenTool, generate } from '#emulator/tasks/generation.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'

export const chat: TaskHandler = (request) => {
  const { exchange, body, model } = request
  const { dialect } = exchange.machine
  const messages = listField(body, 'messages')
  if (messages.length === 0) {
    exchange.refuse('messages must be a list with at least one message.', 'messages')
    return
  }
  const mistake = dialect.continuationMistake(body)
  if (mistake !== null) {
    exchange.refuse(mistake, 'continue_final_message')
    return
  }
  const continues = dialect.continuesPrefill === 'always' || isTrue(body, 'continue_final_message')
  const conversation = readMessages(messages, continues)
  const written = generate(request, {
    idPrefix: 'chatcmpl-',
    conversation,
    maxTokens: numberField(body, 'max_completion_tokens') ?? numberField(body, 'max_tokens'),
    choices: numberField(body, 'n') ?? 1,
    tool: chosenTool(body, conversation.lastUserText),
    hasReasoning: true,
    echoes:
      dialect.repeatsPrefill && isTrue(body, 'stream') && !isTrue(body, 'continue_final_message'),
  })
  if (written === null) return
  const wishes: ChunkWishes = {
    ...streamWishes(body, dialect.stream.continuousUsage),
    logprobs: isTrue(body, 'logprobs'),
    repeated: dialect.repeatsPrefill ? conversation.prefill : '',
  }
  serveAnswer(exchange, {
    answer: written.answer,
    loadMs: exchange.machine.residencyDelayMs(model, null),
    stream: isTrue(body, 'stream') ? new ChatStream(written, wishes) : null,
    whole: (timing) => wholeChat(written, wishes, timing),
  })
}

/** What a request wants of a stream beyond its words. */
export function streamWishes(body: Fields, hasContinuousUsage: boolean) {
  const options = fieldsField(body, 'stream_options') ?? {}
  const continuous = hasContinuousUsage && isTrue(options, 'continuous_usage_stats')
  const includeUsage = isTrue(options, 'include_usage')
  return { includeUsage, continuousUsage: continuous && includeUsage }
}
