import { crc32, deflateSync } from 'node:zlib'
import { jsonPage } from '#emulator/dialect.ts'
import { sendBody } from '#emulator/faults/faulty-body.ts'
import { numberField, textField } from '#emulator/request-fields.ts'
import { firstTokenDelayMs } from '#emulator/serve-answer.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'
import { countTokens, hashText } from '#emulator/words.ts'

/** Steps of denoising, each of which takes the time of one token. */
const steps = 20

/** Paints one plain colour, decided by the prompt. */
export const image: TaskHandler = ({ exchange, body }) => {
  const prompt = textField(body, 'prompt')
  if (prompt === null) {
    exchange.refuse('prompt must be a text.', 'prompt')
    return
  }
  const count = Math.min(10, Math.max(1, numberField(body, 'n') ?? 1))
  const accepted = exchange.infer(
    {
      promptTokens: countTokens(prompt),
      outputTokens: steps * count,
      delayMs: firstTokenDelayMs(exchange),
      onDone() {
        const data = Array.from({ length: count }, (_, index) => ({
          b64_json: plainPng(hashText(prompt, index)).toString('base64'),
        }))
        sendBody(exchange, jsonPage(200, { created: Math.floor(Date.now() / 1000), data }))
      },
    },
    { keepsRunning: true },
  )
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

const sizePixels = 16

function plainPng(colour: number): Buffer {
  const row = Buffer.alloc(1 + sizePixels * 3)
  for (let x = 0; x < sizePixels; x += 1) row.writeUIntBE(colour & 0xffffff, 1 + x * 3, 3)
  const pixels = Buffer.concat(Array.from({ length: sizePixels }, () => row))
  const header = Buffer.alloc(13)
  header.writeUInt32BE(sizePixels, 0)
  header.writeUInt32BE(sizePixels, 4)
  // Eight bits a channel, three channels, and the only methods there are.
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(pixels)),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type), data])
  const chunk = Buffer.alloc(named.length + 8)
  chunk.writeUInt32BE(data.length, 0)
  named.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(named), named.length + 4)
  return chunk
}
