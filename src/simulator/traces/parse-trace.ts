import { makeTrace, type Trace, type TraceRequest } from '#simulator/traces/trace.ts'

/** A trace is not what can be read. The message says where, what was found and what is allowed. */
export class TraceError extends Error {}

/** Tokens in a block where a trace with prefixes does not say: that is how Mooncake counts. */
const usualBlockTokens = 512

/** A request with a thousand blocks takes a hundredth of it; longer ones are no trace, but anything. */
const lineLettersMax = 1_000_000

/** Reads a trace: CSV with a header, or JSON lines. `name` is what to call it in errors. */
export function parseTrace(text: string, name: string): Trace {
  const lines = text.split('\n')
  const firstAt = lines.findIndex((line) => line.trim() !== '')
  if (firstAt === -1) throw new TraceError(`${name}: the file is empty`)
  const longAt = lines.findIndex((line) => line.length > lineLettersMax)
  if (longAt !== -1) {
    throw new TraceError(
      `${name}:${longAt + 1}: found a line of ${lines[longAt]!.length} letters, allowed: at most ${lineLettersMax}`,
    )
  }
  return lines[firstAt]!.trimStart().startsWith('{')
    ? parseJsonLines(lines, name)
    : parseCsv(lines, firstAt, name)
}

const numbers = ['arrival_s', 'prompt_tokens', 'output_tokens'] as const

function parseCsv(lines: readonly string[], headerAt: number, name: string): Trace {
  const header = cellsOf(lines[headerAt]!)
  const at = (column: string) => header.indexOf(column)
  for (const column of numbers) {
    if (at(column) === -1) {
      throw new TraceError(
        `${name}:${headerAt + 1}: found the columns ${columnsText(header)}, ` +
          `allowed: ${numbers.join(', ')}, and model, client`,
      )
    }
  }
  const requests: TraceRequest[] = []
  for (let index = headerAt + 1; index < lines.length; index += 1) {
    const line = lines[index]!
    if (line.trim() === '') continue
    const cells = cellsOf(line)
    const place = `${name}:${index + 1}`
    requests.push({
      arrivalMs: count(cells[at('arrival_s')], 'arrival_s', place) * 1000,
      promptTokens: whole(cells[at('prompt_tokens')], 'prompt_tokens', place),
      outputTokens: whole(cells[at('output_tokens')], 'output_tokens', place),
      model: cells[at('model')] ?? null,
      client: cells[at('client')] ?? null,
      prefixHashes: [],
    })
  }
  return makeTrace(name, requests, usualBlockTokens)
}

/** What is no trace at all can have any letters, also those that steer a terminal. */
function columnsText(header: readonly string[]): string {
  const text = header.join(', ').replaceAll(/\p{Cc}/gu, '�')
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

const cellsOf = (line: string) => line.split(',').map((cell) => cell.trim())

function parseJsonLines(lines: readonly string[], name: string): Trace {
  const requests: TraceRequest[] = []
  let blockTokens: number | null = null
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    const place = `${name}:${index + 1}`
    const row = parseObject(line, place)
    const blocks = row['block_tokens']
    if (blocks !== undefined) {
      const tokens = whole(blocks, 'block_tokens', place)
      if (tokens === 0 || (blockTokens !== null && tokens !== blockTokens)) {
        throw new TraceError(`${place}: block_tokens: found ${tokens}, allowed: one for all lines`)
      }
      blockTokens = tokens
    }
    requests.push({
      arrivalMs: count(row['arrival_s'], 'arrival_s', place) * 1000,
      promptTokens: whole(row['prompt_tokens'], 'prompt_tokens', place),
      outputTokens: whole(row['output_tokens'], 'output_tokens', place),
      model: textOf(row['model']),
      client: textOf(row['client']),
      prefixHashes: blockIds(row['block_ids'], place),
    })
  }
  return makeTrace(name, requests, blockTokens ?? usualBlockTokens)
}

function parseObject(line: string, place: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw new TraceError(`${place}: found a line that is not JSON, allowed: an object on each`, {
      cause: error,
    })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TraceError(`${place}: found ${shown(value)}, allowed: an object on each line`)
  }
  return value as Readonly<Record<string, unknown>>
}

function blockIds(value: unknown, place: string): readonly number[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((one) => Number.isSafeInteger(one))) return value
  throw new TraceError(`${place}: block_ids: found ${shown(value)}, allowed: a list of numbers`)
}

function count(value: unknown, key: string, place: string): number {
  const isWritten = typeof value === 'number' || (typeof value === 'string' && value !== '')
  const number = isWritten ? Number(value) : Number.NaN
  if (Number.isFinite(number) && number >= 0) return number
  throw new TraceError(`${place}: ${key}: found ${shown(value)}, allowed: a number of at least 0`)
}

function whole(value: unknown, key: string, place: string): number {
  const number = count(value, key, place)
  if (Number.isInteger(number)) return number
  throw new TraceError(`${place}: ${key}: found ${shown(value)}, allowed: a whole number`)
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : null)

const shown = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
