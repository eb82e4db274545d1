import { readMessages } from '#emulator/conversation.ts'
import { jsonPage } from '#emulator/dialect.ts'
import { isFields, listField, textField } from '#emulator/request-fields.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'
import { splitTokens } from '#emulator/words.ts'

/** The tokens that the emulator itself counts; it costs no inference. */
export const tokenize: TaskHandler = ({ exchange, body }) => {
  const { settings, dialect } = exchange.machine
  const text = textField(body, 'prompt') ?? textField(body, 'content') ?? textField(body, 'text')
  const messages = listField(body, 'messages').filter(isFields)
  if (text === null && messages.length === 0) {
    exchange.refuse('prompt or messages is required.', 'prompt')
    return
  }
  const tokens =
    text === null
      ? Array.from({ length: readMessages(messages, false).promptTokens }, (_, at) => `#${at}`)
      : splitTokens(text)
  exchange.page(jsonPage(200, dialect.shapes.tokenize(tokens, settings.contextTokens)))
}
