import type { StepTimeParameters } from '#batching/step-time.ts'
import type { RequestBucket } from '#simulator/bound/request-bucket.ts'
import { barePrefillMs, type CostLine, costLines } from '#simulator/bound/step-cost.ts'
import { servesModel } from '#simulator/serves-model.ts'

/** What of an engine limits its rate. */
export interface BoundEndpoint {
  /** The models it serves; null for any. */
  readonly models: readonly string[] | null
  readonly stepTime: StepTimeParameters
  readonly seats: number
  readonly batchTokens: number
  readonly kvTokens: number
}

export interface LatencyTarget {
  readonly ttftMs: number
  readonly tpotMs: number
}

/** What is asked of the fleet. */
export type Demand =
  /** The most of the mix of which so large a part can be served within the targets. */
  | { readonly kind: 'highest-rate'; readonly attainment: number }
  /** Of so many requests a second, the most that can. */
  | { readonly kind: 'most-served'; readonly ratePerSecond: number }

/** Ranges of step length: more of them make the bound tighter and the program larger. */
const modeCount = 24

/**
 * The rate at which a fleet could serve a mix of requests if they flowed like water, as a linear
 * program whose optimum no policy can exceed in the engine model. In CPLEX's LP format; `rate` is
 * maximised. Requests that are left out, where some may be, cost nothing.
 *
 * An endpoint spends its time in modes, each with steps of about one length S. In its share y of
 * the time a mode reads the prompts of p requests per second of each bucket and writes the answers
 * of d, as far as compute, tokens in a step, seats and cache allow:
 *
 *     fixed/S y + Σ time of their tokens and attention  ≤  y       for each line of the step's cost
 *     S Σ tokens ≤ batchTokens y     S Σ steps ≤ seats y     S Σ context held ≤ kvTokens y
 *
 * Over all modes as many prompts are read as answers are written. Each bucket's mean step on an endpoint
 * keeps the target for time per token, and a bucket whose bare prompt already takes longer than the
 * target for the first token is not served there, nor one of a model that the endpoint does not have.
 * Where a mode has a range of lengths, each row takes the end of it that allows more. Nothing waits
 * and nothing comes in bursts: that is why it is a bound.
 */
export function fluidProgram(
  endpoints: readonly BoundEndpoint[],
  buckets: readonly RequestBucket[],
  target: LatencyTarget,
  demand: Demand,
): string {
  const rows: string[] = []
  const served: string[][] = buckets.map(() => [])
  for (const [index, { endpoint, count }] of groupEqual(endpoints).entries()) {
    addEndpoint(rows, served, { endpoint, count, index, buckets, target })
  }
  for (const [index, { share }] of buckets.entries()) {
    const bucket = sum(served[index]!)
    rows.push(
      demand.kind === 'most-served'
        ? `${bucket} <= ${number(share * demand.ratePerSecond)}`
        : `${bucket} - ${number(share)} rate ${demand.attainment === 1 ? '>=' : '<='} 0`,
    )
  }
  const all = sum(served.flat())
  if (demand.kind === 'most-served') rows.push(`${all} - rate = 0`)
  // Where all must be served each bucket says so. Shares are rounded, and do not add up to one.
  else if (demand.attainment < 1) rows.push(`${all} - ${number(demand.attainment)} rate >= 0`)
  const lines = rows.map((row) => ` ${row}`)
  return ['Maximize', ' rate', 'Subject To', ...lines, 'End'].join('\n')
}

interface EndpointRows {
  readonly endpoint: BoundEndpoint
  readonly count: number
  readonly index: number
  readonly buckets: readonly RequestBucket[]
  readonly target: LatencyTarget
}

function addEndpoint(rows: string[], served: string[][], spec: EndpointRows): void {
  const { endpoint, count, index, buckets, target } = spec
  const { stepTime, batchTokens, seats, kvTokens } = endpoint
  const { decodeMsPerContextToken, prefillMsPerTokenPair } = stepTime
  const lines = costLines(stepTime, batchTokens)
  const asked = buckets.flatMap((bucket, at) =>
    servesModel(endpoint, bucket.model) ? [{ ...bucket, at }] : [],
  )
  if (asked.length === 0) return
  const able = asked.filter(
    ({ promptTokensMin }) => barePrefillMs(stepTime, batchTokens, promptTokensMin) <= target.ttftMs,
  )
  const modes = modesOf(lines, endpoint, Math.max(...asked.map((bucket) => bucket.promptTokens)))
  const shares: string[] = []
  const meanStep: string[][] = able.map(() => [])
  const read: string[][] = able.map(() => [])
  const written: string[][] = able.map(() => [])
  for (const [mode, { leastMs, mostMs }] of modes.entries()) {
    const y = `y${index}_${mode}`
    shares.push(y)
    const p = able.map(({ at }) => `p${index}_${mode}_${at}`)
    const d = able.map(({ at }) => `d${index}_${mode}_${at}`)
    // Rates are per second; lengths of steps are milliseconds.
    const leastS = leastMs / 1000
    const total = (reading: PerRequest, writing: PerRequest) =>
      sum(
        able.flatMap((bucket, at) => [
          `${number(reading(bucket))} ${p[at]}`,
          ...(bucket.decodeSteps > 0 ? [`${number(writing(bucket))} ${d[at]}`] : []),
        ]),
      )
    for (const { fixedMs, msPerToken } of linesWithin(lines, mostMs)) {
      const work = total(
        (bucket) =>
          (msPerToken * bucket.promptTokens + prefillMsPerTokenPair * bucket.prefillTokenPairs) /
          1000,
        (bucket) =>
          (msPerToken * bucket.decodeSteps + decodeMsPerContextToken * bucket.decodeContextTokens) /
          1000,
      )
      rows.push(`${work} + ${number(fixedMs / mostMs - 1)} ${y} <= 0`)
    }
    const limit = (most: number, reading: PerRequest, writing: PerRequest) =>
      rows.push(`${total(reading, writing)} - ${number(most / leastS)} ${y} <= 0`)
    limit(
      batchTokens,
      (bucket) => bucket.promptTokens,
      (bucket) => bucket.decodeSteps,
    )
    // A prompt takes at least as many steps as it has full batches, and holds half of itself.
    limit(
      seats,
      (bucket) => bucket.promptTokens / batchTokens,
      (bucket) => bucket.decodeSteps,
    )
    limit(
      kvTokens,
      (bucket) => bucket.prefillTokenPairs / batchTokens,
      (bucket) => bucket.decodeContextTokens,
    )
    for (const at of able.keys()) {
      meanStep[at]!.push(`${number(leastMs - target.tpotMs)} ${d[at]}`)
      read[at]!.push(p[at]!)
      written[at]!.push(d[at]!)
    }
  }
  rows.push(`${sum(shares)} <= ${count}`)
  for (const [at, bucket] of able.entries()) {
    served[bucket.at]!.push(...read[at]!)
    if (bucket.decodeSteps === 0) continue
    rows.push(`${sum(meanStep[at]!)} <= 0`)
    rows.push(`${sum(read[at]!)} - ${written[at]!.join('\n  - ')} = 0`)
  }
}

type PerRequest = (bucket: RequestBucket) => number

/** The lines that can be the highest for as many tokens as fit into such a step. */
function linesWithin(lines: readonly CostLine[], mostMs: number): CostLine[] {
  return lines.filter((line, at) => {
    const before = lines[at - 1]
    if (before === undefined) return true
    const tokens = (before.fixedMs - line.fixedMs) / (line.msPerToken - before.msPerToken)
    return line.fixedMs + line.msPerToken * tokens <= mostMs
  })
}

/** Geometric ranges from the shortest step to one that is full of tokens and of attention. */
function modesOf(lines: readonly CostLine[], of: BoundEndpoint, promptTokens: number) {
  const { decodeMsPerContextToken, prefillMsPerTokenPair } = of.stepTime
  const linearMs = (tokens: number) =>
    Math.max(...lines.map(({ fixedMs, msPerToken }) => fixedMs + msPerToken * tokens))
  const shortestMs = linearMs(1)
  const longestMs =
    linearMs(of.batchTokens) +
    decodeMsPerContextToken * of.kvTokens +
    prefillMsPerTokenPair * of.batchTokens * promptTokens
  const ratio = Math.max(1.000001, (longestMs / shortestMs) ** (1 / modeCount))
  return Array.from({ length: modeCount }, (_, mode) => ({
    leastMs: shortestMs * ratio ** mode,
    mostMs: shortestMs * ratio ** (mode + 1),
  }))
}

/** Equal endpoints are one with as many times the time. */
function groupEqual(
  endpoints: readonly BoundEndpoint[],
): { readonly endpoint: BoundEndpoint; readonly count: number }[] {
  const groups = new Map<string, { endpoint: BoundEndpoint; count: number }>()
  for (const { models, stepTime, seats, batchTokens, kvTokens } of endpoints) {
    const endpoint = { models, stepTime, seats, batchTokens, kvTokens }
    const key = JSON.stringify(endpoint)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { endpoint, count: 1 })
    else group.count += 1
  }
  return [...groups.values()]
}

/** Lines of the format may not be too long: a term a line. */
const sum = (terms: readonly string[]) => (terms.length === 0 ? '0 rate' : terms.join('\n  + '))

const number = (value: number) => Number(value.toPrecision(9)).toString()
