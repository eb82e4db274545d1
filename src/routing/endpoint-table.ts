/**
 * What counting strategies compare, of many endpoints, side by side: one number after the other is
 * read a hundred times as fast as one endpoint after the other. The numbers are as of the last
 * event of each endpoint, so whoever picks by them asks the endpoint itself before it obeys.
 */
import { type EndpointView, effectiveWeight } from '#core/endpoint.ts'
import { isClosed } from '#routing/filters/available.ts'

/** A smaller group is looked at whole, which is exact at any moment. */
export const tableMin = 257
/** Slow starts and pauses go on without an event: so many are looked at again at each decision. */
const refreshedAtOnce = 8

export class EndpointTable<One extends EndpointView = EndpointView> {
  readonly all: readonly One[]
  readonly #places = new Map<One, number>()
  /** 0 for one that takes nothing now. */
  readonly weights: Float64Array
  readonly inFlight: Float64Array
  /** NaN before the first answer. */
  readonly ttftMs: Float64Array
  readonly turns: Float64Array
  #refreshed = 0

  constructor(all: readonly One[]) {
    this.all = all
    this.weights = new Float64Array(all.length)
    this.inFlight = new Float64Array(all.length)
    this.ttftMs = new Float64Array(all.length)
    this.turns = new Float64Array(all.length)
    for (let at = 0; at < all.length; at++) {
      this.#places.set(all[at] as One, at)
      this.#read(at)
    }
  }

  get size(): number {
    return this.all.length
  }

  /** Something happened there. */
  changed(one: One): void {
    const at = this.#places.get(one)
    if (at !== undefined) this.#read(at)
  }

  refreshSome(): void {
    for (let step = 0; step < refreshedAtOnce; step++) {
      this.#refreshed = (this.#refreshed + 1) % this.size
      this.#read(this.#refreshed)
    }
  }

  #read(at: number): void {
    const one = this.all[at] as One
    const { inFlight, maxInFlight } = one
    const isFull = maxInFlight !== null && inFlight >= maxInFlight
    this.weights[at] = isFull || isClosed(one.state) ? 0 : effectiveWeight(one)
    this.inFlight[at] = inFlight
    this.ttftMs[at] = one.ttftMs ?? Number.NaN
    this.turns[at] = one.turn
  }
}

/** Where the smallest number of those that take something lies; -1 when none does. */
export function placeOfSmallest(
  { size, weights }: Pick<EndpointTable, 'size' | 'weights'>,
  numberAt: (at: number) => number,
  /** Negative when the left of two equal ones is better, positive when the right is. */
  tie: (left: number, right: number) => number,
  /** Null: the first of equal ones. */
  chance: (() => number) | null,
): number {
  let best = -1
  let smallest = Number.POSITIVE_INFINITY
  let equals = 1
  for (let at = 0; at < size; at++) {
    if (weights[at] === 0) continue
    const number = numberAt(at)
    if (number > smallest) continue
    const order = number < smallest ? -1 : tie(at, best)
    if (order < 0) {
      best = at
      smallest = number
      equals = 1
    } else if (order === 0 && chance !== null) {
      // Reservoir sampling: each of the equal ones is kept with the same chance.
      equals++
      if (chance() * equals < 1) best = at
    }
  }
  return best
}
