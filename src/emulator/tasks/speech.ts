import type { Exchange } from '#emulator/exchange.ts'
import { textField } from '#emulator/request-fields.ts'
import { firstTokenDelayMs } from '#emulator/serve-answer.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'

const samplesPerSecond = 24_000
const bytesPerSample = 2

/** How fast people speak. */
const charactersPerSecond = 15

/** Audio is made in pieces of this length, each of which counts as one token of decoding. */
const pieceSeconds = 0.25

/**
 * Speaks a hum as long as the text would take. The bytes are a WAV whatever format was asked for,
 * except for `pcm`, which is the same without its header.
 */
export const speech: TaskHandler = ({ exchange, body }) => {
  const input = textField(body, 'input')
  if (input === null || input === '') {
    exchange.refuse('input must be a text.', 'input')
    return
  }
  const isPcm = textField(body, 'response_format') === 'pcm'
  const pieces = Math.max(1, Math.ceil(input.length / charactersPerSecond / pieceSeconds))
  const pieceSamples = samplesPerSecond * pieceSeconds
  const accepted = exchange.infer(
    {
      promptTokens: input.length,
      outputTokens: pieces,
      delayMs: firstTokenDelayMs(exchange),
      onTokens(from, to) {
        if (exchange.isOver) return
        if (from === 0) begin(exchange, isPcm, pieces * pieceSamples)
        exchange.response.write(hum(from * pieceSamples, (to - from) * pieceSamples))
      },
      onDone() {
        if (!exchange.isOver) exchange.response.end()
      },
    },
    { keepsRunning: true },
  )
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

function begin(exchange: Exchange, isPcm: boolean, samples: number): void {
  exchange.response.writeHead(200, {
    ...exchange.machine.headers,
    'content-type': isPcm ? 'audio/pcm' : 'audio/wav',
  })
  if (!isPcm) exchange.response.write(wavHeader(samples))
}

/** A quiet sine of 220 Hz. */
function hum(firstSample: number, samples: number): Buffer {
  const bytes = Buffer.alloc(samples * bytesPerSample)
  for (let index = 0; index < samples; index += 1) {
    const phase = ((firstSample + index) / samplesPerSecond) * 220 * 2 * Math.PI
    bytes.writeInt16LE(Math.round(Math.sin(phase) * 3000), index * bytesPerSample)
  }
  return bytes
}

function wavHeader(samples: number): Buffer {
  const dataBytes = samples * bytesPerSample
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(36 + dataBytes, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(1, 22)
  header.writeUInt32LE(samplesPerSecond, 24)
  header.writeUInt32LE(samplesPerSecond * bytesPerSample, 28)
  header.writeUInt16LE(bytesPerSample, 32)
  header.writeUInt16LE(bytesPerSample * 8, 34)
  header.write('data', 36)
  header.writeUInt32LE(dataBytes, 40)
  return header
}
