/**
 * How long answers are, from those that are over: a mean for each model and client.
 * No more is worth knowing: true lengths changed nothing measurable in simulation.
 */
import type { DispatchRequest } from '#routing/dispatcher.ts'

/** Before anything is known; the mean of public chat traces is about 200. */
const firstMean = 200
/** Answers over which a mean is taken. */
const memory = 200
/** From so many answers on, a client's own mean counts fully. */
const own = 20
/** Clients come and go, and names of clients can be anything. */
const clientsMax = 10_000

interface Lengths {
  mean: number
  count: number
}

export class OutputLengths {
  readonly #all: Lengths = { mean: firstMean, count: 0 }
  readonly #byModel = new Map<string, Lengths>()
  readonly #byClient = new Map<string, Lengths>()

  add(request: DispatchRequest, tokens: number): void {
    learn(this.#all, tokens)
    learn(lengthsOf(this.#byModel, request.model), tokens)
    const key = `${request.model} ${request.client}`
    if (this.#byClient.size >= clientsMax && !this.#byClient.has(key)) this.#byClient.clear()
    learn(lengthsOf(this.#byClient, key), tokens)
  }

  /** Of all models and clients. */
  get usualMean(): number {
    return this.#all.mean
  }

  mean(request: DispatchRequest): number {
    return Math.max(1, Math.min(this.#mean(request), request.maxTokens ?? Number.POSITIVE_INFINITY))
  }

  #mean(request: DispatchRequest): number {
    const all = this.#byModel.get(request.model)
    if (all === undefined) return firstMean
    const mine = this.#byClient.get(`${request.model} ${request.client}`)
    if (mine === undefined) return all.mean
    const weight = Math.min(1, mine.count / own)
    return weight * mine.mean + (1 - weight) * all.mean
  }
}

function lengthsOf(map: Map<string, Lengths>, key: string): Lengths {
  let lengths = map.get(key)
  if (lengths === undefined) {
    lengths = { mean: firstMean, count: 0 }
    map.set(key, lengths)
  }
  return lengths
}

function learn(lengths: Lengths, tokens: number): void {
  lengths.count++
  lengths.mean += Math.max(1 / lengths.count, 1 / memory) * (tokens - lengths.mean)
}
