import { jsonPage } from '#emulator/dialect.ts'
import { sendBody } from '#emulator/faults/faulty-body.ts'
import { numberField, textField, textsField } from '#emulator/request-fields.ts'
import { firstTokenDelayMs } from '#emulator/serve-answer.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'
import { chanceOf, countTokens, hashText } from '#emulator/words.ts'

export const embedding: TaskHandler = ({ exchange, body, model, requestedModel }) => {
  const texts = textsField(body, 'input')
  if (texts.length === 0) {
    exchange.refuse('input must be a text or a list of texts.', 'input')
    return
  }
  const dimensions = numberField(body, 'dimensions')
  if (dimensions !== null && !isWithin(dimensions)) {
    exchange.refuse(`dimensions must be a whole number from 1 to ${dimensionsMax}.`, 'dimensions')
    return
  }
  const isBase64 = textField(body, 'encoding_format') === 'base64'
  const promptTokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
  const accepted = exchange.infer({
    promptTokens,
    outputTokens: 0,
    delayMs: exchange.machine.residencyDelayMs(model, null) + firstTokenDelayMs(exchange),
    onDone() {
      const data = texts.map((text, index) => {
        const vector = embed(model, text, dimensions)
        return {
          object: 'embedding',
          index,
          embedding: isBase64 ? floatsBase64(vector) : vector,
        }
      })
      const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens }
      sendBody(exchange, jsonPage(200, { object: 'list', data, model: requestedModel, usage }))
    },
  })
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

/** Twice what the largest models have. */
const dimensionsMax = 8_192

const isWithin = (dimensions: number) =>
  Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= dimensionsMax

/** A unit vector that depends on the model and the text, and on nothing else. */
export function embed(model: string, text: string, dimensions: number | null): number[] {
  const size = dimensions ?? (model.includes('bge-m3') ? 1024 : 384)
  const seed = hashText(text, hashText(model))
  const raw = Array.from({ length: size }, (_, index) => chanceOf(seed, index) - 0.5)
  const length = Math.hypot(...raw) || 1
  return raw.map((value) => Math.round((value / length) * 1e7) / 1e7)
}

function floatsBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
