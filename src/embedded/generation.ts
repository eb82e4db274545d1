/** Writes one answer: takes a slot, reads the prompt, and gives the text piece by piece. */
import { randomInt } from 'node:crypto'
import type {
  Llama,
  LlamaContextSequence,
  LlamaGrammarEvaluationState,
  SequenceEvaluateOptions,
  Token,
  TokenBias,
} from 'node-llama-cpp'
import type { EmbeddedEngine } from '#embedded/embedded-engine.ts'
import type { AnswerFormat, GenerationParameters } from '#embedded/generation-parameters.ts'
import { invalidValue, RequestError, unsupported } from '#embedded/request-error.ts'
import { StopStrings } from '#embedded/stop-strings.ts'
import { TokenText } from '#embedded/token-text.ts'

export interface LikelyToken {
  readonly text: string
  readonly bytes: readonly number[] | null
  readonly logprob: number
}

export interface WrittenToken extends LikelyToken {
  /** The likeliest tokens at this place, as many as were asked for. */
  readonly top: readonly LikelyToken[]
}

export type FinishReason = 'stop' | 'length'

export type GenerationEvent =
  /** More of the answer. `tokens` is empty unless logprobs were asked for. */
  | { readonly kind: 'text'; readonly text: string; readonly tokens: readonly WrittenToken[] }
  | { readonly kind: 'end'; readonly finishReason: FinishReason; readonly usage: GenerationUsage }

export interface GenerationUsage {
  readonly promptTokens: number
  /** Prompt tokens that were found in the slot's cache. */
  readonly cachedTokens: number
  readonly completionTokens: number
}

/**
 * Runs until the answer ends. When the signal aborts, in the queue, in the prompt or in the
 * answer, it throws the signal's reason and the slot is free again.
 */
export async function* generate(
  engine: EmbeddedEngine,
  prompt: readonly Token[],
  parameters: GenerationParameters,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void> {
  checkPromptLength(prompt, longestPrompt(engine))
  const sampling = await samplingOptions(engine, parameters)
  const slot = await engine.slots.acquire(prompt, signal)
  engine.metrics.requestsTotal++
  try {
    yield* write(engine, slot.sequence, prompt, parameters, sampling, signal)
  } catch (error) {
    if (signal.aborted) engine.metrics.requestsAbortedTotal++
    // What the cache holds after a failed batch is not known.
    else await engine.stepGate.exclusive(() => slot.sequence.clearHistory())
    throw error
  } finally {
    engine.slots.release(slot)
  }
}

/** One place of the context is for the first token of the answer. */
export function longestPrompt({ contextTokens }: EmbeddedEngine): number {
  return contextTokens - 1
}

/** Refuses a prompt of which not all tokens fit, with the numbers. */
export function checkPromptLength(
  prompt: readonly Token[],
  maxTokens: number,
  field = 'prompt',
): void {
  if (prompt.length === 0) {
    throw invalidValue(field, `The ${field} is empty; it must hold at least one token.`)
  }
  if (prompt.length <= maxTokens) return
  throw new RequestError(
    400,
    `The prompt has ${prompt.length} tokens; at most ${maxTokens} fit into the context of this model.`,
    {
      type: 'exceed_context_size_error',
      code: 'context_length_exceeded',
      fields: { n_prompt_tokens: prompt.length, n_ctx: maxTokens },
    },
  )
}

/** One token as llama.cpp gives it; the probabilities are of the whole vocabulary, likeliest first. */
interface Step {
  readonly token: Token
  readonly probabilities?: ReadonlyMap<Token, number>
}

interface Sampling {
  readonly options: SequenceEvaluateOptions
  /** What has been written, for the penalties. */
  readonly written: Token[]
}

async function* write(
  engine: EmbeddedEngine,
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  parameters: GenerationParameters,
  { options, written }: Sampling,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void> {
  const { metrics } = engine
  const { topLogprobs } = parameters
  const startedMs = performance.now()
  const { cachedTokens, rest } = await readPrompt(engine, sequence, prompt, signal)
  // Another token would push the oldest ones out of the context.
  const maxTokens = Math.min(parameters.maxTokens ?? Infinity, engine.contextTokens - prompt.length)

  const { model } = engine.loaded
  const tokenText = new TokenText<Token>(
    (tokens, before) => model.detokenize(tokens, false, before),
    prompt,
  )
  const stops = new StopStrings(stopStrings(parameters))
  const answer = new AnswerTokens()
  let finishReason: FinishReason = 'stop'
  let writingSinceMs: number | undefined
  try {
    const steps: AsyncIterable<Step> =
      topLogprobs === undefined
        ? sequence.evaluateWithMetadata(rest, {}, options)
        : sequence.evaluateWithMetadata(rest, { probabilities: true }, options)
    for await (const step of steps) {
      if (writingSinceMs === undefined) {
        writingSinceMs = performance.now()
        metrics.promptTokensTotal += prompt.length - cachedTokens
        metrics.promptTokensCachedTotal += cachedTokens
        metrics.promptMsTotal += writingSinceMs - startedMs
      }
      signal.throwIfAborted()
      written.push(step.token)
      metrics.generatedTokensTotal++
      const text = tokenText.push(step.token)
      if (topLogprobs !== undefined && step.probabilities !== undefined) {
        answer.add(writtenToken(engine, step.token, step.probabilities, topLogprobs), text)
      }
      const { text: ready, stopped } = stops.push(text)
      if (stopped) {
        yield { kind: 'text', text: ready, tokens: answer.takeBefore(ready) }
        break
      }
      if (ready !== '') yield { kind: 'text', text: ready, tokens: answer.takeAll() }
      if (written.length >= maxTokens) {
        finishReason = 'length'
        break
      }
      await engine.stepGate.pass()
    }
  } finally {
    if (writingSinceMs !== undefined) metrics.generateMsTotal += performance.now() - writingSinceMs
  }
  signal.throwIfAborted()
  const last = stops.push(tokenText.flush())
  const tail = last.text + (last.stopped ? '' : stops.flush())
  const tokens = answer.takeAll()
  if (tail !== '' || tokens.length > 0) yield { kind: 'text', text: tail, tokens }
  yield {
    kind: 'end',
    finishReason,
    usage: {
      promptTokens: prompt.length,
      cachedTokens,
      completionTokens: written.length,
    },
  }
}

/**
 * Brings the prompt into the slot's cache in short steps, all but its end. Returns the rest, which
 * is at least the last token: its evaluation gives the first token of the answer.
 */
async function readPrompt(
  { prefillPace, stepGate }: EmbeddedEngine,
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  signal: AbortSignal,
): Promise<{ readonly cachedTokens: number; readonly rest: Token[] }> {
  const { firstDifferentIndex } = sequence.compareContextTokens([...prompt])
  const shared = Math.min(firstDifferentIndex, prompt.length - 1)
  const end = sequence.nextTokenIndex
  if (shared < end) {
    await stepGate.exclusive(() =>
      shared === 0
        ? sequence.clearHistory()
        : sequence.eraseContextTokenRanges([{ start: shared, end }]),
    )
  }
  const cachedTokens = sequence.nextTokenIndex
  let at = cachedTokens
  while (prompt.length - at > prefillPace.chunkTokens) {
    await stepGate.pass()
    signal.throwIfAborted()
    const chunk = prompt.slice(at, at + prefillPace.chunkTokens)
    const startedMs = performance.now()
    await sequence.evaluateWithoutGeneratingNewTokens(chunk)
    prefillPace.record(chunk.length, performance.now() - startedMs)
    at += chunk.length
  }
  await stepGate.pass()
  signal.throwIfAborted()
  return { cachedTokens, rest: prompt.slice(at) }
}

/** Tokens that are written but whose text may still be held back. */
class AnswerTokens {
  #waiting: { readonly token: WrittenToken; readonly textLength: number }[] = []

  add(token: WrittenToken, text: string): void {
    this.#waiting.push({ token, textLength: text.length })
  }

  takeAll(): readonly WrittenToken[] {
    return this.#take(this.#waiting.length)
  }

  /** The tokens that `text` is made of; those that spell the stop string are dropped. */
  takeBefore(text: string): readonly WrittenToken[] {
    let length = 0
    let count = 0
    for (const { textLength } of this.#waiting) {
      if (length >= text.length) break
      length += textLength
      count++
    }
    const taken = this.#take(count)
    this.#waiting = []
    return taken
  }

  #take(count: number): readonly WrittenToken[] {
    return this.#waiting.splice(0, count).map(({ token }) => token)
  }
}

/** The logprob of a token that cannot come: JSON has no infinity. */
const impossibleLogprob = -9999

function writtenToken(
  engine: EmbeddedEngine,
  token: Token,
  probabilities: ReadonlyMap<Token, number>,
  topCount: number,
): WrittenToken {
  const { model, tokenBytes } = engine.loaded
  const likely = (id: Token): LikelyToken => ({
    text: model.detokenize([id], true),
    bytes: tokenBytes(id),
    logprob: Math.max(impossibleLogprob, Math.log(probabilities.get(id) ?? 0)),
  })
  const top = [...probabilities.keys().take(topCount)].map(likely)
  return { ...likely(token), top }
}

/** node-llama-cpp's JSON grammars allow nothing after the value but line breaks, up to this many. */
const afterJson = '\n\n\n\n'

function stopStrings({ stop, format }: GenerationParameters): readonly string[] {
  return format.kind === 'text' ? stop : [...stop, afterJson]
}

/** Tokens that count for the penalties, at most: the newest ones of the answer. */
const penaltyTokens = 256

async function samplingOptions(
  engine: EmbeddedEngine,
  parameters: GenerationParameters,
): Promise<Sampling> {
  const written: Token[] = []
  const { temperature, topP, topK, minP, seed } = parameters
  const { repeatPenalty, frequencyPenalty, presencePenalty } = parameters
  const penalised = repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0
  const grammarEvaluationState = await answerGrammar(engine, parameters.format)
  const tokenBias = biasOf(engine, parameters.tokenBias)
  return {
    written,
    options: {
      temperature,
      topP,
      topK,
      minP,
      // llama.cpp takes 32 bits. It must be one number for the whole answer.
      seed: seed === undefined ? randomInt(2 ** 32) : seed >>> 0,
      ...(penalised && {
        repeatPenalty: {
          punishTokens: () => written.slice(-penaltyTokens),
          maxPunishTokens: penaltyTokens,
          penalty: repeatPenalty,
          frequencyPenalty,
          presencePenalty,
        },
      }),
      ...(grammarEvaluationState && { grammarEvaluationState }),
      ...(tokenBias && { tokenBias }),
    },
  }
}

function biasOf(
  { loaded }: EmbeddedEngine,
  biases: ReadonlyMap<number, number>,
): TokenBias | undefined {
  if (biases.size === 0) return undefined
  const tokenBias = loaded.module.TokenBias.for(loaded.model)
  for (const [token, value] of biases) {
    if (token >= loaded.facts.vocabularyTokens) {
      throw invalidValue(
        'logit_bias',
        `logit_bias has the token ${token}; the model has tokens 0 to ${loaded.facts.vocabularyTokens - 1}.`,
      )
    }
    if (loaded.model.isEogToken(token as Token)) {
      throw unsupported(
        'logit_bias',
        `logit_bias has the token ${token}, which ends an answer; the embedded engine cannot bias that one.`,
      )
    }
    // OpenAI promises that -100 bans a token, which adding -100 to its logit only makes likely.
    tokenBias.set(token as Token, value === -100 ? 'never' : { logit: value })
  }
  return tokenBias
}

type JsonSchema = Parameters<Llama['createGrammarForJsonSchema']>[0]

async function answerGrammar(
  { loaded: { module, llama, model } }: EmbeddedEngine,
  format: AnswerFormat,
): Promise<LlamaGrammarEvaluationState | undefined> {
  if (format.kind === 'text') return undefined
  try {
    const grammar =
      format.kind === 'json'
        ? await llama.getGrammarFor('json')
        : await llama.createGrammarForJsonSchema(format.schema as JsonSchema)
    return new module.LlamaGrammarEvaluationState({ model, grammar })
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw invalidValue(
      'response_format',
      `response_format cannot be made into a grammar for this model: ${words}`,
    )
  }
}
