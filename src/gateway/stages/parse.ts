/** Reads from the body what the gateway must know, and nothing more. */
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import type { AskedFor, Span } from '#gateway/exchange.ts'
import type { Api } from '#openai/api.ts'
import {
  type JsonMember,
  JsonScanError,
  jsonMembers,
  lastOf,
  memberValue,
} from '#std/json-members.ts'
import type { MultipartFieldFinder } from '#std/multipart-field-finder.ts'

export interface ModelNames {
  resolve(name: string): ModelName
  /** What a request means that names no model; null when it must name one. */
  readonly only: ModelName | null
}

export function parseJsonRequest(api: Api, body: Buffer, names: ModelNames): AskedFor {
  try {
    return readMembers(api, body, names)
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error
    throw new MotleyError(
      'invalid_json',
      `The request body is not a JSON object: ${error.message}.`,
    )
  }
}

function readMembers(api: Api, body: Buffer, names: ModelNames): AskedFor {
  const members = jsonMembers(body)
  for (const { key } of members) {
    // Engines in Go read names whatever their case: one key, and not two, says which model it is.
    if (key !== 'model' && key.toLowerCase() === 'model') {
      throw new MotleyError('invalid_request', `"${key}" must be written "model".`, {
        param: 'model',
      })
    }
  }
  const value = (key: string): unknown => {
    const member = lastOf(members, key)
    return member === undefined ? undefined : memberValue(body, member)
  }
  const streamValue = value('stream')
  if (streamValue !== undefined && streamValue !== null && typeof streamValue !== 'boolean') {
    throw new MotleyError('invalid_request', `"stream" must be true or false.`, { param: 'stream' })
  }
  const stream = api.stream !== null && (streamValue ?? api.streamsByDefault ?? false)
  const modelMember = lastOf(members, 'model')
  const modelText = readModel(value('model'), names)
  const options = value('stream_options')
  const wantsUsage =
    typeof options === 'object' &&
    options !== null &&
    (options as Record<string, unknown>)['include_usage'] === true
  return {
    modelText,
    model: names.resolve(modelText),
    stream,
    choices: stream ? (api.choicesAsked?.(value) ?? 1) : 1,
    maxTokens: readCount(
      value('max_completion_tokens') ?? value('max_tokens') ?? value('max_output_tokens'),
    ),
    modelSpan: spanOf(modelMember),
    promptSpans: promptSpansOf(members),
    writeModel: (servedName) => JSON.stringify(servedName),
    askUsage:
      api.hasStreamOptions && stream && !wantsUsage
        ? askForUsage(body, lastOf(members, 'stream_options'), options)
        : null,
  }
}

/**
 * What chat templates write, in their order: settings of the template itself, then tools, then the
 * system's words, then the conversation. What differs early differs in all that follows.
 */
const promptMembers = [
  ['chat_template_kwargs'],
  ['tools'],
  ['system', 'instructions'],
  ['messages', 'prompt', 'input'],
]

function promptSpansOf(members: readonly JsonMember[]): readonly Span[] {
  const spans: Span[] = []
  for (const names of promptMembers) {
    for (const name of names) {
      const span = spanOf(lastOf(members, name))
      if (span === null) continue
      spans.push(span)
      break
    }
  }
  return spans
}

/** Puts `include_usage` where the other members are, or beside the options that are there. */
function askForUsage(
  body: Buffer,
  member: JsonMember | undefined,
  options: unknown,
): AskedFor['askUsage'] {
  if (member === undefined) {
    const start = body.indexOf('{') + 1
    return { start, end: start, text: '"stream_options":{"include_usage":true},' }
  }
  const merged = typeof options === 'object' && options !== null ? options : {}
  return {
    start: member.valueStart,
    end: member.valueEnd,
    text: JSON.stringify({ ...merged, include_usage: true }),
  }
}

export function parseFormRequest(
  api: Api,
  finder: MultipartFieldFinder,
  names: ModelNames,
): AskedFor {
  if (finder.fault !== null) throw new MotleyError('invalid_request', finder.fault)
  if (finder.countOf('model') > 1) {
    // Which of them counts differs from engine to engine, and a key may be limited to one.
    throw new MotleyError('invalid_request', 'The form has more than one "model".', {
      param: 'model',
    })
  }
  const field = finder.fields.find(({ name }) => name === 'model')
  const modelText = readModel(field?.value, names)
  const stream = finder.fields.find(({ name }) => name === 'stream')?.value
  return {
    modelText,
    model: names.resolve(modelText),
    stream: api.stream !== null && (stream === 'true' || stream === 'True' || stream === '1'),
    choices: 1,
    maxTokens: null,
    modelSpan: field === undefined ? null : { start: field.start, end: field.end },
    promptSpans: [],
    writeModel: (servedName) => servedName,
    askUsage: null,
  }
}

function spanOf(member: JsonMember | undefined): Span | null {
  return member === undefined ? null : { start: member.valueStart, end: member.valueEnd }
}

/** Names are kept, of refused requests too: the longest of the hub's are half as long. */
const modelTextMax = 200

function readModel(value: unknown, names: ModelNames): string {
  if (value === undefined || value === null || value === '') {
    if (names.only !== null) return names.only
    throw new MotleyError('missing_model', null, { param: 'model' })
  }
  if (typeof value !== 'string') {
    throw new MotleyError('invalid_request', '"model" must be a string.', { param: 'model' })
  }
  if (value.length > modelTextMax) {
    throw new MotleyError(
      'invalid_request',
      `"model" has ${value.length} characters, and may have ${modelTextMax}.`,
      { param: 'model' },
    )
  }
  return value
}

function readCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null
}
