/** `POST /v1/chat/completions`. */
import { randomBytes } from 'node:crypto'
import type { Token } from 'node-llama-cpp'
import { usageOf } from '#embedded/answer-usage.ts'
import { readConversation } from '#embedded/chat-messages.ts'
import type { EmbeddedEngine } from '#embedded/embedded-engine.ts'
import { type Exchange, endStream, readRequest, streamEvent } from '#embedded/exchange.ts'
import type { JsonObject } from '#embedded/fields.ts'
import {
  type FinishReason,
  type GenerationEvent,
  type GenerationUsage,
  generate,
  type LikelyToken,
  type WrittenToken,
} from '#embedded/generation.ts'
import { readGenerationParameters } from '#embedded/generation-parameters.ts'
import { tokenizePrompt } from '#embedded/loaded-model.ts'
import { checkTextLength } from '#embedded/prompt-input.ts'
import { sendJson } from '#std/http-json.ts'

/** The prompt of `messages`, in the model's own chat format. */
export function chatPrompt(engine: EmbeddedEngine, body: JsonObject): Token[] {
  const { loaded } = engine
  const pieces = loaded.chatFormat.render(readConversation(body))
  checkTextLength(
    engine,
    pieces.reduce((characters, { text }) => characters + text.length, 0),
  )
  return tokenizePrompt(loaded.model, pieces)
}

export async function answerChatCompletion(exchange: Exchange): Promise<void> {
  const { engine, signal } = exchange
  const body = await readRequest(exchange)
  const parameters = readGenerationParameters(body, 'chat')
  const events = generate(engine, chatPrompt(engine, body), parameters, signal)
  const head: AnswerHead = {
    id: `chatcmpl-${randomBytes(12).toString('hex')}`,
    created: Math.floor(Date.now() / 1000),
    model: engine.modelName,
  }
  const wantsLogprobs = parameters.topLogprobs !== undefined
  if (parameters.stream) {
    await streamAnswer(exchange, head, events, { wantsLogprobs, ...parameters })
  } else {
    await sendAnswer(exchange, head, events, wantsLogprobs)
  }
}

interface AnswerHead {
  readonly id: string
  readonly created: number
  readonly model: string
}

async function sendAnswer(
  { response }: Exchange,
  head: AnswerHead,
  events: AsyncIterable<GenerationEvent>,
  wantsLogprobs: boolean,
): Promise<void> {
  let content = ''
  const tokens: WrittenToken[] = []
  for await (const event of events) {
    if (event.kind === 'text') {
      content += event.text
      tokens.push(...event.tokens)
      continue
    }
    const choice = {
      index: 0,
      message: { role: 'assistant', content, refusal: null },
      logprobs: wantsLogprobs ? chatLogprobs(tokens) : null,
      finish_reason: event.finishReason,
    }
    const usage = usageOf([event.usage])
    sendJson(response, 200, { ...head, object: 'chat.completion', choices: [choice], usage })
  }
}

async function streamAnswer(
  exchange: Exchange,
  head: AnswerHead,
  events: AsyncIterable<GenerationEvent>,
  { wantsLogprobs, includeUsage }: { wantsLogprobs: boolean; includeUsage: boolean },
): Promise<void> {
  const send = (
    delta: { readonly role?: string; readonly content?: string },
    logprobs: unknown,
    finishReason: FinishReason | null,
  ): Promise<void> =>
    streamEvent(exchange, {
      ...head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    })
  let begun = false
  for await (const event of events) {
    // Not before the first token: until then a failure can still be an HTTP status.
    if (!begun) await send({ role: 'assistant', content: '' }, null, null)
    begun = true
    if (event.kind === 'text') {
      const logprobs = wantsLogprobs ? chatLogprobs(event.tokens) : null
      if (event.text !== '' || event.tokens.length > 0) {
        await send({ content: event.text }, logprobs, null)
      }
      continue
    }
    await send({}, null, event.finishReason)
    if (includeUsage) await streamUsage(exchange, head, event.usage)
    await endStream(exchange)
  }
}

function streamUsage(exchange: Exchange, head: AnswerHead, usage: GenerationUsage): Promise<void> {
  const object = 'chat.completion.chunk'
  return streamEvent(exchange, { ...head, object, choices: [], usage: usageOf([usage]) })
}

function chatLogprobs(tokens: readonly WrittenToken[]) {
  const shape = ({ text, bytes, logprob }: LikelyToken) => ({ token: text, logprob, bytes })
  return {
    content: tokens.map((token) => ({ ...shape(token), top_logprobs: token.top.map(shape) })),
    refusal: null,
  }
}
