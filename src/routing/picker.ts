/**
 * A picker chooses one of the endpoints that may take a request. It is called once a decision
 * with at least one candidate, only reads, and takes chance as an argument.
 */
import type { EndpointView } from '#core/endpoint.ts'
import type { EndpointTable } from '#routing/endpoint-table.ts'
import type { RouteRequest } from '#routing/filter.ts'

export interface Pick {
  /** Index of the chosen candidate. */
  readonly chosen: number
  /** What was compared, by candidate; the smallest wins. Null for one that was not looked at. */
  readonly scores: readonly (number | null)[]
}

export interface Picker {
  readonly name: string
  /** What its scores mean, in words. */
  readonly scoreMeaning: string
  pick(
    candidates: readonly EndpointView[],
    request: RouteRequest,
    /** A number in [0, 1), a new one at each call. */
    chance: () => number,
  ): Pick
  /** The same among so many that reading each of them takes too long: a place of the table, or -1. */
  pickPlace(table: EndpointTable, turnNow: number, chance: () => number): number
}
