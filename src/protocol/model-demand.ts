/**
 * What gateways tell of who asks for which model, so that there are as many replicas of it as are
 * needed; and what they are told of models that sleep.
 */

export interface ModelDemand {
  readonly model: string
  /** Requests at endpoints. */
  readonly inFlight: number
  /** Requests that wait for room, or for a replica to wake. */
  readonly waiting: number
  /** How long the oldest of those has waited; 0 when none does. */
  readonly oldestWaitMs: number
  /** What whoever comes next would wait, by how long answers took of late; null while nobody knows. */
  readonly expectedWaitMs: number | null
  /** How long ago somebody last asked for it. */
  readonly idleMs: number
}

/** A model that a deployment serves, and that has no ready replica now. */
export interface SleepingModel {
  readonly model: string
  /** `starting`: it is on its way. `asleep`: nobody has asked. `no-place`: it cannot come now. */
  readonly state: 'asleep' | 'starting' | 'no-place'
  /** Until it answers, from now; null while nobody can tell. */
  readonly expectedMs: number | null
  /** Until something is tried that has failed, from now; null where nothing is known to come. */
  readonly retryMs: number | null
  /** Why it has no place; null where it has one. */
  readonly because: string | null
}
