import { type Conversation, readMessages } from '#emulator/conversation.ts'
import { jsonPage } from '#emulator/dialect.ts'
import { MessagesStream, wholeMessage } from '#emulator/formats/messages.ts'
import {
  type Fields,
  isFields,
  isTrue,
  listField,
  numberField,
  textField,
} from '#emulator/request-fields.ts'
import { serveAnswer } from '#emulator/serve-answer.ts'
import { chosenTool, generate } from '#emulator/tasks/generation.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'

export const messages: TaskHandler = (request) => {
  const { exchange, body, model } = request
  const maxTokens = numberField(body, 'max_tokens')
  if (listField(body, 'messages').length === 0 || maxTokens === null) {
    exchange.refuse('messages and max_tokens are required.', 'messages')
    return
  }
  const { continuesMessages, repeatsPrefill } = exchange.machine.dialect
  const conversation = readConversation(body, continuesMessages)
  const written = generate(request, {
    idPrefix: 'msg_',
    conversation,
    maxTokens,
    tool: chosenTool(body, conversation.lastUserText),
    hasReasoning: true,
    echoes: repeatsPrefill,
  })
  if (written === null) return
  serveAnswer(exchange, {
    answer: written.answer,
    loadMs: exchange.machine.residencyDelayMs(model, null),
    stream: isTrue(body, 'stream') ? new MessagesStream(written) : null,
    whole: () => wholeMessage(written),
  })
}

/** Counting tokens costs no inference. */
export const countMessageTokens: TaskHandler = ({ exchange, body }) => {
  exchange.page(jsonPage(200, { input_tokens: readConversation(body, false).promptTokens }))
}

/** In this API a last assistant message is the start of the answer; not all engines go on with it. */
function readConversation(body: Fields, continues: boolean): Conversation {
  return readMessages(listField(body, 'messages'), continues, readSystem(body))
}

function readSystem(body: Fields): string | null {
  const plain = textField(body, 'system')
  if (plain !== null) return plain
  const parts = listField(body, 'system').filter(isFields)
  return parts.length === 0 ? null : parts.map((part) => textField(part, 'text') ?? '').join('')
}
