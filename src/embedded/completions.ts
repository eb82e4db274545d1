/** `POST /v1/completions`. */
import { randomBytes } from 'node:crypto'
import type { Token } from 'node-llama-cpp'
import { usageOf } from '#embedded/answer-usage.ts'
import { type Exchange, endStream, readRequest, streamEvent } from '#embedded/exchange.ts'
import {
  checkPromptLength,
  type FinishReason,
  type GenerationUsage,
  generate,
  longestPrompt,
  type WrittenToken,
} from '#embedded/generation.ts'
import {
  type GenerationParameters,
  readGenerationParameters,
} from '#embedded/generation-parameters.ts'
import { readPrompts } from '#embedded/prompt-input.ts'
import { invalidValue } from '#embedded/request-error.ts'
import { sendJson } from '#std/http-json.ts'

export async function answerCompletion(exchange: Exchange): Promise<void> {
  const { engine } = exchange
  const body = await readRequest(exchange)
  const parameters = readGenerationParameters(body, 'completion')
  const prompts = readPrompts(engine, body['prompt'], 'prompt')
  const [first = []] = prompts
  const head: AnswerHead = {
    id: `cmpl-${randomBytes(12).toString('hex')}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: engine.modelName,
  }
  if (!parameters.stream) return sendAnswers(exchange, head, prompts, parameters)
  if (prompts.length === 1) return streamAnswer(exchange, head, first, parameters)
  throw invalidValue(
    'prompt',
    `prompt holds ${prompts.length} prompts; a stream can answer 1, so send the others apart or set stream to false.`,
  )
}

interface AnswerHead {
  readonly id: string
  readonly object: 'text_completion'
  readonly created: number
  readonly model: string
}

interface Answer {
  readonly text: string
  readonly tokens: readonly WrittenToken[]
  readonly finishReason: FinishReason
  readonly usage: GenerationUsage
}

/** Answers all prompts, at once as far as there are slots. When one fails, the others stop. */
async function sendAnswers(
  { engine, response, signal }: Exchange,
  head: AnswerHead,
  prompts: readonly Token[][],
  parameters: GenerationParameters,
): Promise<void> {
  for (const prompt of prompts) checkPromptLength(prompt, longestPrompt(engine))
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const answers = await Promise.all(
    prompts.map(async (prompt): Promise<Answer> => {
      try {
        let text = ''
        const tokens: WrittenToken[] = []
        for await (const event of generate(engine, prompt, parameters, either)) {
          if (event.kind === 'end') return { ...event, text, tokens }
          text += event.text
          tokens.push(...event.tokens)
        }
        throw new Error('An answer ends with an end event.')
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }),
  )
  const choices = answers.map(({ text, tokens, finishReason }, index) => ({
    index,
    text,
    logprobs: parameters.topLogprobs === undefined ? null : completionLogprobs(tokens, 0),
    finish_reason: finishReason,
  }))
  sendJson(response, 200, {
    ...head,
    choices,
    usage: usageOf(answers.map(({ usage }) => usage)),
  })
}

async function streamAnswer(
  exchange: Exchange,
  head: AnswerHead,
  prompt: readonly Token[],
  parameters: GenerationParameters,
): Promise<void> {
  const { engine, signal } = exchange
  const { includeUsage, topLogprobs } = parameters
  const send = (text: string, logprobs: unknown, finishReason: FinishReason | null) =>
    streamEvent(exchange, {
      ...head,
      choices: [{ index: 0, text, logprobs, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    })
  let offset = 0
  for await (const event of generate(engine, prompt, parameters, signal)) {
    if (event.kind === 'text') {
      const { text, tokens } = event
      const logprobs = topLogprobs === undefined ? null : completionLogprobs(tokens, offset)
      offset += text.length
      if (text !== '' || tokens.length > 0) await send(text, logprobs, null)
      continue
    }
    await send('', null, event.finishReason)
    if (includeUsage) {
      await streamEvent(exchange, { ...head, choices: [], usage: usageOf([event.usage]) })
    }
    await endStream(exchange)
  }
}

/** The older shape: parallel arrays, with the place of each token in the text. */
function completionLogprobs(tokens: readonly WrittenToken[], firstOffset: number) {
  let offset = firstOffset
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(({ text, logprob }) => [text, logprob])),
    ),
    text_offset: tokens.map(({ text }) => {
      const at = offset
      offset += text.length
      return at
    }),
  }
}
