import { readMessages } from '#emulator/conversation.ts'
import { ResponsesStream, wholeResponse } from '#emulator/formats/responses.ts'
import { isTrue, listField, numberField, textField } from '#emulator/request-fields.ts'
import { serveAnswer } from '#emulator/serve-answer.ts'
import { chosenTool, generate } from '#emulator/tasks/generation.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'

export const responses: TaskHandler = (request) => {
  const { exchange, body, model } = request
  const text = textField(body, 'input')
  const items = text === null ? listField(body, 'input') : [{ role: 'user', content: text }]
  if (items.length === 0) {
    exchange.refuse('input must be a text or a list with at least one item.', 'input')
    return
  }
  const conversation = readMessages(items, false, textField(body, 'instructions'))
  const written = generate(request, {
    idPrefix: 'resp_',
    conversation,
    maxTokens: numberField(body, 'max_output_tokens'),
    tool: chosenTool(body, conversation.lastUserText),
  })
  if (written === null) return
  serveAnswer(exchange, {
    answer: written.answer,
    loadMs: exchange.machine.residencyDelayMs(model, null),
    stream: isTrue(body, 'stream') ? new ResponsesStream(written) : null,
    whole: () => wholeResponse(written),
  })
}
