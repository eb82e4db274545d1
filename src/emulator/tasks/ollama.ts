import { readMessages, readPrompt } from '#emulator/conversation.ts'
import { jsonPage } from '#emulator/dialect.ts'
import { type OllamaApi, OllamaStream, wholeOllama } from '#emulator/formats/ollama-native.ts'
import {
  type Fields,
  fieldsField,
  isFalse,
  listField,
  numberField,
  textField,
  textsField,
} from '#emulator/request-fields.ts'
import { serveAnswer } from '#emulator/serve-answer.ts'
import { embed } from '#emulator/tasks/embedding.ts'
import { chosenTool, generate } from '#emulator/tasks/generation.ts'
import type { TaskHandler, TaskRequest } from '#emulator/tasks/task.ts'
import { countTokens } from '#emulator/words.ts'

export const ollamaChat: TaskHandler = (request) => {
  const { body } = request
  const messages = listField(body, 'messages')
  if (messages.length === 0) return loadOnly(request, 'chat')
  const conversation = readMessages(messages, true)
  serve(request, 'chat', {
    conversation,
    tool: chosenTool(body, conversation.lastUserText),
  })
}

export const ollamaGenerate: TaskHandler = (request) => {
  const prompt = textField(request.body, 'prompt') ?? ''
  if (prompt === '') return loadOnly(request, 'generate')
  serve(request, 'generate', { conversation: readPrompt(prompt) })
}

export const ollamaEmbed: TaskHandler = ({ exchange, body, model, requestedModel }) => {
  const texts = textsField(body, 'input')
  const promptTokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
  const loadMs = exchange.machine.residencyDelayMs(model, keepAlive(body))
  const accepted = exchange.infer({
    promptTokens,
    outputTokens: 0,
    delayMs: loadMs,
    onDone: () =>
      exchange.page(
        jsonPage(200, {
          model: requestedModel,
          embeddings: texts.map((text) => embed(model, text, null)),
          total_duration: 0,
          load_duration: Math.round(loadMs * 1_000_000),
          prompt_eval_count: promptTokens,
        }),
      ),
  })
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

function serve(
  request: TaskRequest,
  api: OllamaApi,
  asked: Pick<Parameters<typeof generate>[1], 'conversation' | 'tool'>,
): void {
  const { exchange, body, model } = request
  const written = generate(request, {
    ...asked,
    idPrefix: '',
    maxTokens: predictedTokens(body),
    hasReasoning: true,
  })
  if (written === null) return
  serveAnswer(exchange, {
    answer: written.answer,
    loadMs: exchange.machine.residencyDelayMs(model, keepAlive(body)),
    stream: streams(body) ? new OllamaStream(written, api) : null,
    whole: (timing) => wholeOllama(written, api, timing),
  })
}

/** Without a prompt a request only loads the model, or unloads it with `keep_alive: 0`. */
function loadOnly({ exchange, body, model, requestedModel }: TaskRequest, api: OllamaApi): void {
  const delayMs = exchange.machine.residencyDelayMs(model, keepAlive(body))
  const isUnload = keepAlive(body) === 0
  const answer = (): void =>
    exchange.page(
      jsonPage(200, {
        model: requestedModel,
        created_at: new Date().toISOString(),
        ...(api === 'chat' ? { message: { role: 'assistant', content: '' } } : { response: '' }),
        done: true,
        done_reason: isUnload ? 'unload' : 'load',
      }),
    )
  if (delayMs === 0) answer()
  else exchange.later(delayMs, answer)
}

/** Seconds as a number, or a text as `5m`. */
const keepAlive = (body: Fields): unknown => body['keep_alive']

/** This API streams unless it is told not to. */
const streams = (body: Fields): boolean => !isFalse(body, 'stream')

/** `num_predict`, where a negative number means no limit. */
function predictedTokens(body: Fields): number | null {
  const predict = numberField(fieldsField(body, 'options') ?? {}, 'num_predict')
  return predict === null || predict < 0 ? null : predict
}
