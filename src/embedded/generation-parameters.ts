/** Reads and checks the parameters of a request that say how to write the answer. */
import { booleanField, isObject, type JsonObject, numberField, shown } from '#embedded/fields.ts'
import { invalidValue, unsupported } from '#embedded/request-error.ts'

/** What the answer must look like. */
export type AnswerFormat =
  | { readonly kind: 'text' }
  | { readonly kind: 'json' }
  | { readonly kind: 'json-schema'; readonly schema: JsonObject }

export interface GenerationParameters {
  /** Undefined means: until the context is full. */
  readonly maxTokens: number | undefined
  /** 0 takes the likeliest token each time. */
  readonly temperature: number
  readonly topP: number
  /** 0 considers every token. */
  readonly topK: number
  readonly minP: number
  /** Undefined means a seed by chance. */
  readonly seed: number | undefined
  readonly stop: readonly string[]
  readonly frequencyPenalty: number
  readonly presencePenalty: number
  /** 1 is none. */
  readonly repeatPenalty: number
  readonly tokenBias: ReadonlyMap<number, number>
  readonly format: AnswerFormat
  /** How many likely tokens to report beside each one; undefined reports nothing. */
  readonly topLogprobs: number | undefined
  readonly stream: boolean
  readonly includeUsage: boolean
}

const stopStringsMax = 4
const topLogprobsMax = 20
const penaltyRange = { min: -2, max: 2 }
const tokenCountRange = { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true }
const seedRange = {
  min: Number.MIN_SAFE_INTEGER,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
}

export type RequestShape = 'chat' | 'completion'

export function readGenerationParameters(
  body: JsonObject,
  shape: RequestShape,
): GenerationParameters {
  refuseUnsupported(body)
  const stream = booleanField(body, 'stream') ?? false
  const topK = numberField(body, 'top_k', { min: -1, max: tokenCountRange.max, integer: true })
  return {
    maxTokens:
      numberField(body, 'max_completion_tokens', tokenCountRange) ??
      numberField(body, 'max_tokens', tokenCountRange),
    temperature: numberField(body, 'temperature', { min: 0, max: 2 }) ?? 1,
    topP: numberField(body, 'top_p', { min: 0, max: 1 }) ?? 1,
    topK: Math.max(0, topK ?? 0),
    minP: numberField(body, 'min_p', { min: 0, max: 1 }) ?? 0,
    seed: numberField(body, 'seed', seedRange),
    stop: readStop(body),
    frequencyPenalty: numberField(body, 'frequency_penalty', penaltyRange) ?? 0,
    presencePenalty: numberField(body, 'presence_penalty', penaltyRange) ?? 0,
    repeatPenalty:
      numberField(body, 'repeat_penalty', { min: 0.01, max: 10 }) ??
      numberField(body, 'repetition_penalty', { min: 0.01, max: 10 }) ??
      1,
    tokenBias: readTokenBias(body),
    format: readFormat(body),
    topLogprobs: shape === 'chat' ? readChatLogprobs(body) : readCompletionLogprobs(body),
    stream,
    includeUsage: readIncludeUsage(body),
  }
}

function refuseUnsupported(body: JsonObject): void {
  for (const name of ['n', 'best_of']) {
    const count = numberField(body, name, { min: 1, max: 128, integer: true })
    if (count !== undefined && count > 1) {
      throw unsupported(name, `${name} is ${count}; the embedded engine writes 1 answer a request.`)
    }
  }
  for (const name of ['tools', 'functions']) {
    const value = body[name]
    if (value === undefined || value === null) continue
    if (Array.isArray(value) && value.length === 0) continue
    throw unsupported(
      name,
      `${name} is given; the embedded engine does not support tools, so it must be absent or empty.`,
    )
  }
  if (booleanField(body, 'echo') === true) {
    throw unsupported('echo', 'echo is true; the embedded engine returns only what it writes.')
  }
  const { suffix } = body
  if (suffix !== undefined && suffix !== null && suffix !== '') {
    throw unsupported('suffix', 'suffix is given; the embedded engine only continues a prompt.')
  }
}

function readStop(body: JsonObject): readonly string[] {
  const { stop } = body
  if (stop === undefined || stop === null) return []
  const stops: readonly unknown[] = Array.isArray(stop) ? stop : [stop]
  const fits = stops.length <= stopStringsMax && stops.every(isFilledString)
  if (!fits) {
    throw invalidValue(
      'stop',
      `stop is ${shown(stop)}; it must be a string that is not empty, or an array of up to ${stopStringsMax} of them.`,
    )
  }
  return stops.filter(isFilledString)
}

function isFilledString(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function readTokenBias(body: JsonObject): ReadonlyMap<number, number> {
  const bias = body['logit_bias']
  const byToken = new Map<number, number>()
  if (bias === undefined || bias === null) return byToken
  if (!isObject(bias)) {
    throw invalidValue(
      'logit_bias',
      `logit_bias is ${shown(bias)}; it must be an object of token ids and numbers.`,
    )
  }
  for (const [token, value] of Object.entries(bias)) {
    const fits = typeof value === 'number' && value >= -100 && value <= 100
    if (!/^\d+$/.test(token) || !fits) {
      throw invalidValue(
        'logit_bias',
        `logit_bias has ${shown(token)}: ${shown(value)}; each must be a token id with a number from -100 to 100.`,
      )
    }
    byToken.set(Number(token), value)
  }
  return byToken
}

/** Turning a schema into a grammar holds up every other answer: about a second for this one. */
const schemaBytesMax = 32 * 1024

function readFormat(body: JsonObject): AnswerFormat {
  const format = body['response_format']
  if (format === undefined || format === null) return { kind: 'text' }
  const type = isObject(format) ? format['type'] : undefined
  if (type === 'text') return { kind: 'text' }
  if (type === 'json_object') return { kind: 'json' }
  if (isObject(format) && type === 'json_schema') {
    const named = format['json_schema']
    const schema = isObject(named) ? named['schema'] : undefined
    if (isObject(schema)) {
      const bytes = JSON.stringify(schema).length
      if (bytes <= schemaBytesMax) return { kind: 'json-schema', schema }
      throw invalidValue(
        'response_format',
        `response_format.json_schema.schema has ${bytes} bytes; at most ${schemaBytesMax} are allowed.`,
      )
    }
    throw invalidValue(
      'response_format',
      'response_format.json_schema.schema must be a JSON Schema object.',
    )
  }
  throw invalidValue(
    'response_format',
    `response_format is ${shown(format)}; its type must be text, json_object or json_schema.`,
  )
}

function readChatLogprobs(body: JsonObject): number | undefined {
  const wanted = booleanField(body, 'logprobs') ?? false
  const top = numberField(body, 'top_logprobs', { min: 0, max: topLogprobsMax, integer: true })
  if (top !== undefined && top > 0 && !wanted) {
    throw invalidValue('top_logprobs', `top_logprobs is ${top}; it needs logprobs to be true.`)
  }
  return wanted ? (top ?? 0) : undefined
}

function readCompletionLogprobs(body: JsonObject): number | undefined {
  return numberField(body, 'logprobs', { min: 0, max: topLogprobsMax, integer: true })
}

function readIncludeUsage(body: JsonObject): boolean {
  const options = body['stream_options']
  if (options === undefined || options === null) return false
  if (!isObject(options)) {
    throw invalidValue(
      'stream_options',
      `stream_options is ${shown(options)}; it must be an object.`,
    )
  }
  return booleanField(options, 'include_usage') ?? false
}
