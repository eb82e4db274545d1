/**
 * Measures a replica from beside it: how fast it reads prompts, how fast it writes one answer, and
 * how much more it writes in all when several are asked for at once.
 */
import type { PageFetcher } from '#agent/page-fetcher.ts'
import { engines } from '#engines/index.ts'
import type { ReplicaSpeed } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'
import { parseJson } from '#std/parse-json.ts'
import { quantile } from '#std/quantile.ts'

export interface MeasureOptions {
  readonly port: number
  /** What the supervisor keeps of it: engine, model, weights. */
  readonly about: Readonly<Record<string, string>>
  readonly fetchPage: PageFetcher
  readonly clock: Clock
}

/** Long enough that starting and stopping does not count, short enough for a CPU. */
const answerTokens = 64
const promptSentences = 60

/** Less is no prompt whose reading could be measured. */
const promptSentencesMin = 5

/** Short, so that it is the answer that takes the time. */
const sentencesBeforeAnswer = 5

/** Short answers of a fast engine are repeated until this has passed, so that noise evens out. */
const levelMs = 1_500
const concurrencies = [1, 2, 4, 8, 16] as const

/** Twice the requests must bring a tenth more, or it is the knee. */
const gainWorthIt = 1.1

/** The slowest engine writes a token a second. */
const requestMsMax = 5 * 60_000

/** Rejects when the replica does not answer, or tells no counts of tokens. */
export async function measureReplica(
  options: MeasureOptions,
): Promise<Omit<ReplicaSpeed, 'boundTokensPerSecond'>> {
  const { about } = options
  // The first request pays for what is only done once: kernels compiled, pages read.
  const sentences = await fittingSentences(options)
  const prompts = []
  for (const seed of [1, 2, 3]) prompts.push(await ask(options, seed, 1, sentences))
  const speeds = prompts.map(({ promptTokens, ms }) => (promptTokens / ms) * 1_000)
  const median = quantile(
    speeds.toSorted((one, other) => one - other),
    0.5,
  )
  const byConcurrency: { requests: number; tokensPerSecond: number }[] = []
  for (const requests of concurrencies) {
    byConcurrency.push({ requests, tokensPerSecond: await decodeSpeed(options, requests) })
    const before = byConcurrency.at(-2)
    const now = byConcurrency.at(-1)
    if (before && now && now.tokensPerSecond <= before.tokensPerSecond * gainWorthIt) break
  }
  return {
    engine: about['engine'] ?? 'unknown',
    engineVersion: await engineVersionOf(options),
    quantization: quantizationIn(about['weights'] ?? ''),
    promptTokensPerSecond: median ?? 0,
    decodeTokensPerSecond: byConcurrency[0]?.tokensPerSecond ?? 0,
    byConcurrency,
    knee: kneeOf(byConcurrency),
  }
}

/** Tokens a second in all, with so many requests at a time for long enough. */
async function decodeSpeed(options: MeasureOptions, requests: number): Promise<number> {
  const { clock } = options
  const startMs = clock.nowMs()
  let tokens = 0
  const writer = async (index: number): Promise<void> => {
    for (let round = 0; round === 0 || clock.nowMs() - startMs < levelMs; round++) {
      const seed = requests * 1_000 + index * 100 + round
      const answer = await ask(options, seed, answerTokens, sentencesBeforeAnswer)
      tokens += answer.completionTokens
    }
  }
  await Promise.all(Array.from({ length: requests }, (_, index) => writer(index)))
  return (tokens / Math.max(1, clock.nowMs() - startMs)) * 1_000
}

/** The longest prompt that its context takes; that is not known here, and tokens differ. */
async function fittingSentences(options: MeasureOptions): Promise<number> {
  for (let sentences = promptSentences; ; sentences = Math.floor(sentences / 2)) {
    try {
      await ask(options, 0, 1, sentences)
      return sentences
    } catch (error) {
      if (sentences / 2 < promptSentencesMin) throw error
    }
  }
}

/** The fewest requests at a time beyond which twice as many bring less than a tenth more. */
export function kneeOf(
  points: readonly { readonly requests: number; readonly tokensPerSecond: number }[],
): number {
  for (const [index, point] of points.entries()) {
    const next = points[index + 1]
    if (next === undefined || next.tokensPerSecond <= point.tokensPerSecond * gainWorthIt) {
      return point.requests
    }
  }
  return 1
}

interface Answered {
  readonly promptTokens: number
  readonly completionTokens: number
  readonly ms: number
}

interface Usage {
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
}

async function ask(
  { port, about, clock }: MeasureOptions,
  seed: number,
  maxTokens: number,
  sentences: number,
): Promise<Answered> {
  const startMs = clock.nowMs()
  const response = await fetch(`http://127.0.0.1:${port}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // Each prompt begins differently, so that no cache of prefixes answers in place of the engine.
    body: JSON.stringify({
      model: about['model'],
      prompt: Array.from({ length: sentences }, (_, index) => `${seed + index} is a number.`).join(
        ' ',
      ),
      max_tokens: maxTokens,
      temperature: 1,
      seed,
      ignore_eos: true,
    }),
    signal: AbortSignal.timeout(requestMsMax),
  })
  const text = await response.text()
  const answer = parseJson(text) as { readonly usage?: Usage } | null | undefined
  const usage = answer?.usage
  if (!response.ok || typeof usage?.prompt_tokens !== 'number') {
    throw new Error(
      `the replica answered ${response.status} without counting tokens: ${text.slice(0, 200)}`,
    )
  }
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: typeof usage.completion_tokens === 'number' ? usage.completion_tokens : 0,
    ms: Math.max(0.1, clock.nowMs() - startMs),
  }
}

/** Null where it says none. */
export async function engineVersionOf({
  port,
  about,
  fetchPage,
}: Pick<MeasureOptions, 'port' | 'about' | 'fetchPage'>): Promise<string | null> {
  const engine = engines.find(({ id }) => id === about['engine'])
  if (engine === undefined) return null
  const outcome = await fetchPage({
    url: `http://127.0.0.1:${port}`,
    path: engine.identify.path,
    apiKey: undefined,
    timeoutMs: 2_000,
    signal: AbortSignal.timeout(5_000),
  })
  return outcome.kind === 'answer' ? (engine.identify.read(outcome.answer)?.version ?? null) : null
}

/** As names of GGUF files and repositories have it: Q4_K_M, IQ3_XS, F16, AWQ. */
export function quantizationIn(reference: string): string | null {
  return /\b(I?Q\d\w*|BF16|F16|F32|AWQ|GPTQ|FP8)\b/i.exec(reference)?.[1]?.toUpperCase() ?? null
}
