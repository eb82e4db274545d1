import { defaultMicroBatchTokens } from '#batching/batch-scheduler.ts'
import { unknownDevice } from '#simulator/fleet-file.ts'
import type { InventoryEndpoint, InventoryFleet } from '#simulator/inventory-fleet.ts'
import { type LearntSpeed, learnSpeed } from '#simulator/log-speed/learn-speed.ts'
import type { PrefillBatching } from '#simulator/log-speed/prefills.ts'
import type { LoggedAnswer } from '#simulator/traces/access-log.ts'

/** What a gateway knows of an endpoint that no log tells. */
export interface KnownEndpoint {
  readonly name: string
  readonly engine: string | null
  readonly models: readonly string[]
  readonly slots: number | null
  readonly kvTokens: number | null
}

/** Of a long log the end is looked at: that many answers, of all endpoints together. */
const answersMax = 50_000
/** More of one endpoint's answers than these tell hardly more. */
const answersOfOneMin = 1_000

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
  const answering = [...byEndpoint].filter(([, own]) => own.some(({ counts }) => counts))
  const share = Math.max(answersOfOneMin, Math.floor(answersMax / Math.max(1, answering.length)))
  const endpoints = answering.map(([name, own]) =>
    endpointOf(
      name,
      own.slice(-share),
      known.find((one) => one.name === name),
    ),
  )
  const silent = [...byEndpoint.keys()].filter((name) => !answering.some(([one]) => one === name))
  const others = known.filter(
    ({ name, models }) => !byEndpoint.has(name) && models.some((one) => asked.has(one)),
  )
  return { endpoints, unknown: [...silent, ...others.map(({ name }) => name)] }
}

function endpointOf(
  name: string,
  answers: readonly LoggedAnswer[],
  known: KnownEndpoint | undefined,
): InventoryEndpoint {
  const models = new Set([...answers.map(({ model }) => model), ...(known?.models ?? [])])
  const engine = behavesAs(known?.engine ?? null)
  const learnt = learnSpeed(answers, known?.slots ?? null, batchingOf[engine ?? 'vllm'])
  const slots = known?.slots ?? slotsOf(learnt)
  const kvTokens = known?.kvTokens ?? kvTokensOf(learnt)
  return {
    name,
    device: 'as-logged',
    ...(engine !== null && { engine }),
    // A client that names no model is served by any.
    ...(!models.has(null) && { models: [...models].flatMap((model) => model ?? []) }),
    ...(slots !== null && { slots }),
    ...(kvTokens !== null && { kvTokens }),
    stepTime: learnt.stepTime,
    basis: basisOf(answers, learnt),
  }
}

type Engine = NonNullable<InventoryEndpoint['engine']>

/** Batches of the embedded llama.cpp are made as those of llama-server. */
function behavesAs(engine: string | null): Engine | null {
  if (engine === 'motley-embedded' || engine === 'llama-server') return 'llama-server'
  return engine === 'vllm' || engine === 'sglang' ? engine : null
}

const { batchTokens } = unknownDevice

/** As endpoints of a fleet file do where it does not say: what is learnt is replayed alike. */
const batchingOf: Readonly<Record<Engine, PrefillBatching>> = {
  vllm: { batchTokens, microBatchTokens: batchTokens, mixes: true },
  sglang: { batchTokens, microBatchTokens: batchTokens, mixes: false },
  'llama-server': { batchTokens, microBatchTokens: defaultMicroBatchTokens, mixes: true },
}

/** What a vLLM writes at a time by itself (`--max-num-seqs`): enough to be no limit in a replay. */
const wideSlots = 256

/** An endpoint that has written more at a time than a small one does has no limit that was seen. */
function slotsOf({ seats, most }: LearntSpeed): number | null {
  if (seats !== null) return seats
  return most > unknownDevice.seats ? Math.max(wideSlots, most) : null
}

/** It has held so much. Where its end is was not seen, and a replay may want more. */
function kvTokensOf({ mostContextTokens }: LearntSpeed): number | null {
  const kvTokens = 2 * Math.ceil(mostContextTokens)
  return kvTokens > unknownDevice.kvTokens ? kvTokens : null
}

function basisOf(answers: readonly LoggedAnswer[], learnt: LearntSpeed): string {
  const counting = answers.filter(({ counts }) => counts)
  const { most, seldomFewerThan, errorRatio } = learnt
  const parts = [
    `${counting.length} answer${counting.length === 1 ? '' : 's'} of the log`,
    ...(most > 1 ? [`up to ${most} at a time`] : []),
    ...(seldomFewerThan > 2 ? [`seldom fewer than ${seldomFewerThan}`] : []),
  ]
  // No clock of a log is as exact as what a handful of answers may agree by chance.
  const percent = Math.max(0.1, Number((100 * errorRatio).toPrecision(2)))
  const error = `half of their times are within ${percent} %`
  const whole = counting.every(({ firstTokenAtMs }) => firstTokenAtMs === null)
    ? '; none was streamed, so how it parts into prompt and answer is less sure'
    : ''
  return `${parts.join(', ')}; ${error} of what it says${whole}`
}
