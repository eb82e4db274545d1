/** `POST /tokenize` and `POST /detokenize`, in the shapes of vLLM and llama-server. */
import { chatPrompt } from '#embedded/chat-completions.ts'
import { type Exchange, readRequest } from '#embedded/exchange.ts'
import { booleanField, stringField } from '#embedded/fields.ts'
import { readTokens, textTokens } from '#embedded/prompt-input.ts'
import { invalidValue } from '#embedded/request-error.ts'
import { sendJson } from '#std/http-json.ts'

export async function answerTokenize(exchange: Exchange): Promise<void> {
  const { engine, response } = exchange
  const { model } = engine.loaded
  const body = await readRequest(exchange)
  const text = stringField(body, 'prompt') ?? stringField(body, 'content')
  if (text === undefined && body['messages'] === undefined) {
    throw invalidValue('prompt', 'The body has neither prompt, content nor messages.')
  }
  const addSpecial = booleanField(body, 'add_special_tokens') ?? true
  const tokens =
    text === undefined
      ? chatPrompt(engine, body)
      : addSpecial
        ? textTokens(engine, text)
        : model.tokenize(text, true)
  const wantsStrings = booleanField(body, 'return_token_strs') ?? false
  sendJson(response, 200, {
    count: tokens.length,
    max_model_len: engine.contextTokens,
    tokens,
    ...(wantsStrings && { token_strs: tokens.map((token) => model.detokenize([token], true)) }),
  })
}

export async function answerDetokenize(exchange: Exchange): Promise<void> {
  const { engine, response } = exchange
  const body = await readRequest(exchange)
  const text = engine.loaded.model.detokenize(readTokens(engine, body['tokens'], 'tokens'), true)
  sendJson(response, 200, { prompt: text, content: text })
}
