import type { EndpointLoad, EndpointState, EndpointView } from '#core/endpoint.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import type { DispatchEndpoint, EndpointLimits } from '#routing/dispatcher.ts'
import type { Candidate } from '#routing/policy.ts'

/** An endpoint as it was told of, with what a dispatcher counts there. */
export class CountedEndpoint implements Candidate {
  #told: DispatchEndpoint
  /** What was sent there by this dispatcher. */
  sent = 0
  prefillTokens = 0
  contextTokens = 0
  turn = 0
  ttftMs: number | null = null
  load: EndpointLoad | null = null

  constructor(told: DispatchEndpoint) {
    this.#told = told
  }

  tell(told: DispatchEndpoint): void {
    this.#told = told
  }

  serves(model: ModelName, task: Task): boolean {
    return this.#told.serves(model, task)
  }

  get id(): EndpointId {
    return this.#told.view.id
  }
  /** A strategy that takes over finds requests there that it did not send. */
  get inFlight(): number {
    return Math.max(this.sent, this.#told.view.inFlight)
  }
  get state(): EndpointState {
    return this.#told.view.state
  }
  get weight(): number {
    return this.#told.view.weight
  }
  get slowStartRatio(): number {
    return this.#told.view.slowStartRatio
  }
  get maxInFlight(): number | null {
    return this.#told.view.maxInFlight
  }
  get probeInFlight(): boolean {
    return this.#told.view.probeInFlight
  }
  get coolingUntilMs(): EndpointView['coolingUntilMs'] {
    return this.#told.view.coolingUntilMs
  }
  get labels(): EndpointView['labels'] {
    return this.#told.view.labels
  }
  get limits(): EndpointLimits {
    return this.#told.limits
  }
}
