/**
 * A policy chooses an endpoint for one request from what is known at that moment, and the request
 * goes there at once. `queued-dispatcher.ts` makes a dispatcher of it.
 *
 * Unlike a picker it sees the request and what its endpoints are busy with, and it may remember
 * what it sent where. It takes time and chance as arguments.
 */
import type { EndpointLoad, EndpointView } from '#core/endpoint.ts'
import type { EndpointId } from '#core/ids.ts'
import type { DispatchRequest, EndpointLimits } from '#routing/dispatcher.ts'
import type { EndpointTable } from '#routing/endpoint-table.ts'
import type { Pick, Picker } from '#routing/picker.ts'
import { takeTurn } from '#routing/pickers/round-robin.ts'
import { routeRequest } from '#routing/route.ts'

/** An endpoint that may take the request, as the dispatcher counts it. */
export interface Candidate extends EndpointView {
  turn: number
  readonly limits: EndpointLimits
  /** Prompt tokens of requests that were sent there and have not had their first token. */
  readonly prefillTokens: number
  /** Prompt and answer tokens of all requests that were sent there and are not over. */
  readonly contextTokens: number
  /** What its engine reported last, perhaps a while ago; null when it never did. */
  readonly load: EndpointLoad | null
}

export interface Moment {
  readonly nowMs: number
  /** A number in [0, 1), a new one at each call. */
  readonly chance: () => number
}

export interface Policy {
  readonly name: string
  /** What its scores mean, in words; the smallest wins. */
  readonly scoreMeaning: string
  /** Called with at least one candidate. */
  pick(candidates: readonly Candidate[], request: DispatchRequest, at: Moment): Pick
  /**
   * The same where what is compared is told by a table of many endpoints: a place there, or -1. A
   * policy without it looks at each endpoint.
   */
  pickPlace?(table: EndpointTable, at: Moment): number
  /** The request was sent to the candidate that `pick` chose. */
  sent?(candidate: Candidate, request: DispatchRequest): void
  /** The endpoint is gone, or came back with nothing in its memory. */
  forget?(endpoint: EndpointId): void
}

/** A picker as a policy: it keeps the turns that round robin goes by. */
export function pickerPolicy(picker: Picker): Policy {
  let turnNow = 0
  return {
    name: picker.name,
    scoreMeaning: picker.scoreMeaning,
    pick(candidates, request, { nowMs, chance }) {
      return picker.pick(candidates, { ...routeRequest(request, nowMs), turnNow }, chance)
    },
    pickPlace: (table, { chance }) => picker.pickPlace(table, turnNow, chance),
    sent(candidate) {
      const taken = takeTurn(candidate, turnNow)
      candidate.turn = taken.turn
      turnNow = taken.turnNow
    },
  }
}
