/**
 * The endpoints that serve one model, and which of them are worth a look.
 *
 * A small group is looked at whole. In a large one that would take longer than the decision is
 * worth, so its endpoints lie in buckets by what a usual request would take there, and the best
 * buckets are looked at. A bucket is an eighth wider than the one before: within it, endpoints
 * differ by less than predictions err.
 *
 *   seconds   0.5      0.56     0.63     0.71   …   no room
 *             ■ ■ ■    ■        ■ ■ ■ ■             ■ ■ ■ ■ ■ ■
 */
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'

const smallGroup = 32
/** With as many again, nothing gets better: the first ones are the best by the same predictions. */
const looksMax = 12
const bucketWidth = Math.log2(1.125)
/** From a millisecond up to hours. */
const bucketCount = 144

interface Place {
  bucket: number
  index: number
}

export class EndpointGroup {
  readonly all: readonly EndpointModel[]
  readonly #buckets: EndpointModel[][]
  readonly #places = new Map<EndpointModel, Place>()

  constructor(all: readonly EndpointModel[], costMs: (model: EndpointModel) => number) {
    this.all = all
    this.#buckets = this.isSmall ? [] : Array.from({ length: bucketCount }, () => [])
    if (this.isSmall) return
    for (const model of all) {
      this.#places.set(model, { bucket: -1, index: -1 })
      this.move(model, costMs(model))
    }
  }

  get isSmall(): boolean {
    return this.all.length <= smallGroup
  }

  /** What a usual request would take there has changed; infinite when it has no room. */
  move(model: EndpointModel, costMs: number): void {
    const place = this.#places.get(model)
    if (place === undefined) return
    const bucket = bucketOf(costMs)
    if (bucket === place.bucket) return
    const left = this.#buckets[place.bucket]
    if (left !== undefined) {
      const last = left.pop() as EndpointModel
      if (last !== model) {
        left[place.index] = last
        const lastPlace = this.#places.get(last)
        if (lastPlace !== undefined) lastPlace.index = place.index
      }
    }
    const entered = this.#buckets[bucket] as EndpointModel[]
    place.bucket = bucket
    place.index = entered.length
    entered.push(model)
  }

  /** The endpoints to compare, those that hold a part of the prompt first. */
  candidates(holders: readonly EndpointModel[], chance: () => number): readonly EndpointModel[] {
    if (this.isSmall) return this.all
    const looked = new Set(holders.filter((model) => this.#places.has(model)))
    for (let at = 0; at < bucketCount - 1 && looked.size < looksMax; at++) {
      const bucket = this.#buckets[at] as EndpointModel[]
      if (bucket.length === 0) continue
      // Not always the same ones of a large bucket.
      const start = Math.floor(chance() * bucket.length)
      for (let step = 0; step < bucket.length && looked.size < looksMax; step++) {
        looked.add(bucket[(start + step) % bucket.length] as EndpointModel)
      }
    }
    return [...looked]
  }
}

function bucketOf(costMs: number): number {
  if (costMs === Number.POSITIVE_INFINITY) return bucketCount - 1
  const bucket = Math.floor(Math.log2(Math.max(1, costMs)) / bucketWidth)
  return Math.min(bucketCount - 2, bucket)
}
