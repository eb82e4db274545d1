/**
 * The endpoints that serve one model, and which of them are worth a look.
 *
 * A small group is looked at whole. In a large one that would take longer than the decision is
 * worth, so its endpoints lie in buckets by what a usual request would take there, and a few of
 * each of the best buckets are looked at. A bucket is an eighth wider than the one before: within
 * it, endpoints differ by less than predictions err.
 *
 *   seconds   0.5      0.56     0.63     0.71   …   no room
 *   at work   ■ ■ ■             ■ ■ ■ ■             ■ ■ ■ ■ ■ ■
 *   idle               ■                 ■ ■
 *
 * Idle ones lie apart, and the best of them are always looked at: where what has work to do is
 * quicker by the numbers and still cannot take one more, they can.
 */
import type { EndpointId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import type { RouteRequest } from '#routing/filter.ts'
import type { PrefixIndex } from '#routing/prefix-index.ts'
import { firstRefusal } from '#routing/route.ts'

const smallGroup = 32
/** With half as many again, nothing gets better: the first are the best by the same predictions. */
const looksMax = 6
/** Where none of those has room: others, of other buckets. */
const moreLooks = 10
/** Of a bucket, so many: the next one is as good a place, or as bad, as these. */
const looksOfBucket = 2
/** Of the first, so many because they hold a part of the prompt, and because they are idle. */
const holdersMax = 3
const idleLooks = 2
const bucketWidth = Math.log2(1.125)
/** From a millisecond up to hours; the last one is for those without room. */
const bucketCount = 144
const noRoom = bucketCount - 1

interface Place {
  readonly model: EndpointModel
  /** Those of idle endpoints come after all of the others. */
  bucket: number
  index: number
}

export class EndpointGroup {
  readonly all: readonly EndpointModel[]
  /** The largest KV cache among them; infinite where one of them tells of none. */
  readonly kvTokensMax: number
  readonly #buckets: EndpointModel[][]
  /** How many are in each bucket: looked through at each decision, so they lie side by side. */
  readonly #sizes = new Int32Array(2 * bucketCount)
  /** No bucket before this one holds anybody, idle or not. */
  #firstBucket = bucketCount
  readonly #places = new Map<EndpointId, Place>()
  /** What {@link candidates} answered last. */
  readonly #looked: EndpointModel[] = []

  constructor(all: readonly EndpointModel[], costMs: (model: EndpointModel) => number) {
    this.all = all
    this.kvTokensMax = all.reduce(
      (most, { told }) => Math.max(most, told.limits.kvTokens ?? Number.POSITIVE_INFINITY),
      0,
    )
    this.#buckets = this.isSmall ? [] : Array.from({ length: 2 * bucketCount }, () => [])
    if (this.isSmall) return
    for (const model of all) {
      this.#places.set(model.id, { model, bucket: -1, index: -1 })
      this.move(model, costMs(model))
    }
  }

  get isSmall(): boolean {
    return this.all.length <= smallGroup
  }

  /** Whether it lies in a bucket here. */
  has({ id }: EndpointModel): boolean {
    return this.#places.has(id)
  }

  /** What a usual request would take there has changed; infinite when it has no room. */
  move(model: EndpointModel, costMs: number): void {
    const place = this.#places.get(model.id)
    if (place === undefined) return
    const bucket = bucketOf(costMs) + (model.inFlight === 0 ? bucketCount : 0)
    if (bucket === place.bucket) return
    const left = this.#buckets[place.bucket]
    if (left !== undefined) {
      this.#sizes[place.bucket]!--
      const last = left.pop() as EndpointModel
      if (last !== model) {
        left[place.index] = last
        const lastPlace = this.#places.get(last.id)
        if (lastPlace !== undefined) lastPlace.index = place.index
      }
    }
    const entered = this.#buckets[bucket] as EndpointModel[]
    place.bucket = bucket
    place.index = entered.length
    this.#sizes[bucket]!++
    this.#firstBucket = Math.min(this.#firstBucket, bucket % bucketCount)
    entered.push(model)
  }

  /** The endpoints to compare for a request. Valid until the next call. */
  candidates(
    request: DispatchRequest,
    asked: RouteRequest,
    prefixes: PrefixIndex,
    chance: () => number,
  ): readonly EndpointModel[] {
    if (this.isSmall) return this.all
    if (request.constraint === null) {
      const holders = prefixes.holders(request.prefixBlocks, holdersMax)
      const cheapest = this.cheapest(holders, chance)
      for (const { told } of cheapest) if (firstRefusal(asked, told.view) === null) return cheapest
      if (this.#firstBucket >= noRoom) {
        // None has room for a usual request; a short prompt may still fit into one of some.
        this.#takeFrom(noRoom, this.#looked.length + moreLooks, moreLooks, chance)
        this.#takeIdleWithoutRoom(asked)
        return this.#looked
      }
    }
    return this.#permitted(asked)
  }

  /** Others that may have room where none of {@link candidates} has. */
  more(asked: RouteRequest, chance: () => number): readonly EndpointModel[] {
    if (this.isSmall || asked.constraint !== null) return []
    const from = this.#looked.length
    this.#take(from + moreLooks, chance, { idle: false })
    return this.#looked.slice(from)
  }

  /** Some that a usual request had best go to, those of `first` before them. */
  cheapest(first: readonly EndpointId[], chance: () => number): readonly EndpointModel[] {
    const looked = this.#looked
    looked.length = 0
    this.#passEmptyBuckets()
    for (const id of first) {
      const place = this.#places.get(id)
      if (place !== undefined) looked.push(place.model)
    }
    this.#take(looked.length + idleLooks, chance, { idle: true })
    this.#take(looksMax, chance, { idle: false })
    return looked
  }

  /** For a request that not all may take: of those that may, and are preferred, the cheapest. */
  #permitted(asked: RouteRequest): readonly EndpointModel[] {
    const may = this.all.filter(({ told }) => firstRefusal(asked, told.view) === null)
    const misses = ({ id }: EndpointModel): number => asked.constraint?.misses(id) ?? 0
    let least = Number.POSITIVE_INFINITY
    for (const model of may) least = Math.min(least, misses(model))
    return may
      .filter((model) => misses(model) === least)
      .map((model) => ({ model, bucket: (this.#places.get(model.id)?.bucket ?? 0) % bucketCount }))
      .sort((one, other) => one.bucket - other.bucket)
      .slice(0, looksMax + moreLooks)
      .map(({ model }) => model)
  }

  /** From the best buckets of all, or of idle ones only, until so many are looked at. */
  #take(until: number, chance: () => number, only: { readonly idle: boolean }): void {
    for (let at = this.#firstBucket; at < noRoom && this.#looked.length < until; at++) {
      if (!only.idle) this.#takeFrom(at, until, looksOfBucket, chance)
      this.#takeFrom(bucketCount + at, until, looksOfBucket, chance)
    }
  }

  /**
   * Those that are down, and those that are too small for a usual prompt. Of the small ones none may
   * be missed by chance: they have no work whose end would have the request compared with them again.
   */
  #takeIdleWithoutRoom(asked: RouteRequest): void {
    const looked = this.#looked
    const end = looked.length + moreLooks
    for (const model of this.#buckets[bucketCount + noRoom] as EndpointModel[]) {
      if (looked.length >= end) return
      if (firstRefusal(asked, model.told.view) === null && !looked.includes(model)) {
        looked.push(model)
      }
    }
  }

  #passEmptyBuckets(): void {
    const sizes = this.#sizes
    let first = this.#firstBucket
    while (first < bucketCount && sizes[first] === 0 && sizes[bucketCount + first] === 0) first++
    this.#firstBucket = first
  }

  /** `most` of one bucket, as long as fewer than `until` are looked at. */
  #takeFrom(at: number, until: number, most: number, chance: () => number): void {
    const size = this.#sizes[at] as number
    if (size === 0) return
    const looked = this.#looked
    const bucket = this.#buckets[at] as EndpointModel[]
    // Not always the same ones of a large bucket.
    const start = Math.floor(chance() * size)
    const end = Math.min(until, looked.length + most)
    for (let step = 0; step < size && looked.length < end; step++) {
      const model = bucket[(start + step) % size] as EndpointModel
      if (!looked.includes(model)) looked.push(model)
    }
  }
}

function bucketOf(costMs: number): number {
  if (costMs === Number.POSITIVE_INFINITY) return noRoom
  const bucket = Math.floor(Math.log2(Math.max(1, costMs)) / bucketWidth)
  return Math.min(noRoom - 1, bucket)
}
