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

interface LengthsOfModel extends Lengths {
  readonly byClient: Map<string, Lengths>
}

export class OutputLengths {
  readonly #all: Lengths = { mean: firstMean, count: 0 }
  readonly #byModel = new Map<string, LengthsOfModel>()
  #clients = 0

  add({ model, client }: DispatchRequest, tokens: number): void {
    learn(this.#all, tokens)
    let ofModel = this.#byModel.get(model)
    if (ofModel === undefined) {
      ofModel = { mean: firstMean, count: 0, byClient: new Map() }
      this.#byModel.set(model, ofModel)
    }
    learn(ofModel, tokens)
    let mine = ofModel.byClient.get(client)
    if (mine === undefined) {
      if (this.#clients >= clientsMax) this.#forgetClients()
      this.#clients++
      mine = { mean: firstMean, count: 0 }
      ofModel.byClient.set(client, mine)
    }
    learn(mine, tokens)
  }

  /** Of all models and clients. */
  get usualMean(): number {
    return this.#all.mean
  }

  mean(request: DispatchRequest): number {
    return Math.max(1, Math.min(this.#mean(request), request.maxTokens ?? Number.POSITIVE_INFINITY))
  }

  #mean({ model, client }: DispatchRequest): number {
    const all = this.#byModel.get(model)
    if (all === undefined) return firstMean
    const mine = all.byClient.get(client)
    if (mine === undefined) return all.mean
    const weight = Math.min(1, mine.count / own)
    return weight * mine.mean + (1 - weight) * all.mean
  }

  #forgetClients(): void {
    this.#clients = 0
    for (const { byClient } of this.#byModel.values()) byClient.clear()
  }
}

function learn(lengths: Lengths, tokens: number): void {
  lengths.count++
  lengths.mean += Math.max(1 / lengths.count, 1 / memory) * (tokens - lengths.mean)
}
