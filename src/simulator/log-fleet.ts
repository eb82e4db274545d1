import type { InventoryEndpoint, InventoryFleet } from '#simulator/inventory-fleet.ts'
import { stepTimeOfRates } from '#simulator/step-time-of-rates.ts'
import type { LoggedAnswer } from '#simulator/traces/access-log.ts'
import { quantile } from '#std/quantile.ts'

/** What a gateway knows of an endpoint that no log tells. */
export interface KnownEndpoint {
  readonly name: string
  readonly engine: string | null
  readonly models: readonly string[]
  readonly slots: number | null
  readonly kvTokens: number | null
}

/**
 * The fleet that gave the answers of a log, whoever runs its engines: an endpoint for each that is
 * named there, as fast as its answers were. `known` is what the gateway has now; what of it serves a
 * model of the log and answered nothing is not in the fleet, as nobody knows how fast it is.
 */
export function logFleet(
  answers: readonly LoggedAnswer[],
  known: readonly KnownEndpoint[],
): InventoryFleet {
  const asked = new Set(answers.map(({ model }) => model))
  const byEndpoint = Map.groupBy(answers, ({ endpoint }) => endpoint)
  return {
    endpoints: [...byEndpoint].map(([name, own]) =>
      endpointOf(
        name,
        own,
        known.find((one) => one.name === name),
      ),
    ),
    unknown: known
      .filter(({ name, models }) => !byEndpoint.has(name) && models.some((one) => asked.has(one)))
      .map(({ name }) => name),
  }
}

function endpointOf(
  name: string,
  answers: readonly LoggedAnswer[],
  known: KnownEndpoint | undefined,
): InventoryEndpoint {
  const models = new Set([...answers.map(({ model }) => model), ...(known?.models ?? [])])
  const engine = behavesAs(known?.engine ?? null)
  return {
    name,
    device: 'as-logged',
    ...(engine !== null && { engine }),
    // A client that names no model is served by any.
    ...(!models.has(null) && { models: [...models].flatMap((model) => model ?? []) }),
    ...(known?.slots != null && { slots: known.slots }),
    ...(known?.kvTokens != null && { kvTokens: known.kvTokens }),
    ...speedOf(answers),
  }
}

/** Batches of the embedded llama.cpp are made as those of llama-server. */
function behavesAs(engine: string | null): NonNullable<InventoryEndpoint['engine']> | null {
  if (engine === 'motley-embedded' || engine === 'llama-server') return 'llama-server'
  return engine === 'vllm' || engine === 'sglang' ? engine : null
}

/**
 * The simulation adds what neighbours in a batch cost, so the speed of an answer alone is wanted:
 * a quarter of them is at least as fast. The very fastest are those whose prompt was in the cache.
 */
const fastPart = 0.25

/** With fewer tokens, the time of an answer is that of the network and not of the engine. */
const outputTokensMin = 8

/**
 * How many tokens of a prompt take as long as one of an answer, where answers came in one piece and
 * the two cannot be told apart: CPUs take 5 to 10 in that time, GPUs 50 and more.
 */
const promptTokensPerOutputToken = 20

function speedOf(answers: readonly LoggedAnswer[]): Pick<InventoryEndpoint, 'stepTime' | 'basis'> {
  const streamed = answers.flatMap((one) =>
    one.firstTokenMs === null || one.outputTokens < outputTokensMin
      ? []
      : [{ ...one, firstTokenMs: one.firstTokenMs }],
  )
  if (streamed.length === 0) {
    const outputMs = fast(
      answers.map(
        (one) => one.answerMs / (one.outputTokens + one.promptTokens / promptTokensPerOutputToken),
      ),
    )
    return {
      stepTime: stepTimeOfRates((1_000 * promptTokensPerOutputToken) / outputMs, 1_000 / outputMs),
      basis: `${counted(answers.length)} of the log; none was streamed, so how it parts into prompt and answer is a guess`,
    }
  }
  const promptMs = fast(streamed.map((one) => one.firstTokenMs / one.promptTokens))
  const outputMs = fast(
    streamed.map((one) => (one.answerMs - one.firstTokenMs) / (one.outputTokens - 1)),
  )
  return {
    stepTime: stepTimeOfRates(1_000 / promptMs, 1_000 / outputMs),
    basis: `${counted(streamed.length, 'streamed ')} of the log`,
  }
}

/** Clocks of logs count whole milliseconds; nothing takes less than a part of one. */
const fast = (times: readonly number[]) =>
  Math.max(0.01, quantile(Float64Array.from(times).sort(), fastPart) ?? 0.01)

const counted = (answers: number, kind = '') =>
  `${answers} ${kind}answer${answers === 1 ? '' : 's'}`
