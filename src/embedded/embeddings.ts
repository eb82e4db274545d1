/** `POST /v1/embeddings`. */
import { type Exchange, readRequest } from '#embedded/exchange.ts'
import { numberField, shown } from '#embedded/fields.ts'
import { checkPromptLength } from '#embedded/generation.ts'
import { readPrompts } from '#embedded/prompt-input.ts'
import { invalidValue } from '#embedded/request-error.ts'
import { sendJson } from '#std/http-json.ts'

export async function answerEmbeddings(exchange: Exchange): Promise<void> {
  const { engine, response, signal } = exchange
  const body = await readRequest(exchange)
  const { embeddingSize } = engine.loaded.facts
  const dimensions = numberField(body, 'dimensions', { min: 1, max: 65_536, integer: true })
  if (dimensions !== undefined && dimensions !== embeddingSize) {
    throw invalidValue(
      'dimensions',
      `dimensions is ${dimensions}; this model gives ${embeddingSize} and cannot give fewer.`,
    )
  }
  const encoding = body['encoding_format'] ?? 'float'
  if (encoding !== 'float' && encoding !== 'base64') {
    throw invalidValue(
      'encoding_format',
      `encoding_format is ${shown(encoding)}; it must be float or base64.`,
    )
  }
  const inputs = readPrompts(engine, body['input'], 'input')
  for (const input of inputs) checkPromptLength(input, engine.embedder.maxTokens, 'input')

  const data: unknown[] = []
  for (const [index, input] of inputs.entries()) {
    signal.throwIfAborted()
    const vector = await engine.embedder.embed(input)
    const embedding = encoding === 'base64' ? base64OfFloats(vector) : vector
    data.push({ object: 'embedding', index, embedding })
  }
  const promptTokens = inputs.reduce((sum, input) => sum + input.length, 0)
  sendJson(response, 200, {
    object: 'list',
    data,
    model: engine.modelName,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  })
}

/** Little-endian 32-bit floats, as OpenAI's own clients ask for by default. */
function base64OfFloats(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
