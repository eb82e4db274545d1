import { requestId } from '#core/ids.ts'
import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { Arrival } from '#simulator/arrival.ts'
import type { Outcome } from '#simulator/outcome.ts'
import type { Site } from '#simulator/site.ts'

/** One request on its way. */
export interface Job {
  readonly index: number
  readonly outcome: Outcome
  request: DispatchRequest
  /** Tokens of the present attempt that the dispatcher was told of. */
  told: number
  site: Site<Job> | null
  place: number
  /** Whether it was preempted and goes on without a first token. */
  resumes: boolean
}

export function newJob(arrival: Arrival, index: number): Job {
  const { atMs, outputTokens: _, ...known } = arrival
  return {
    index,
    outcome: {
      arrival,
      endpoint: -1,
      sentMs: null,
      firstTokenMs: null,
      endMs: null,
      tokens: 0,
      hitTokens: 0,
      rejected: false,
      bypassed: false,
      sends: 0,
    },
    request: {
      ...known,
      id: requestId(`r${index}`),
      task: 'chat',
      maxTokens: null,
      priority: 0,
      arrivedAtMs: atMs,
      excluded: [],
      constraint: null,
      streams: true,
      workUnits: null,
    },
    told: 0,
    site: null,
    place: -1,
    resumes: false,
  }
}
