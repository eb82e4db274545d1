import type { EndpointConfig } from '#core/config/endpoints.ts'
import type { ModelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { DispatchEndpoint, EndpointLimits } from '#routing/dispatcher.ts'
import { measuredStepSpeed } from '#routing/measured-step-speed.ts'
import type { StepSpeed } from '#routing/step-speed.ts'

/**
 * What a dispatcher is told of an endpoint: room and speed as far as somebody knows them. What
 * nobody knows is learnt from the answers.
 */
export class EndpointOffer implements DispatchEndpoint {
  readonly view: Endpoint
  readonly limits: EndpointLimits
  readonly speed: StepSpeed | null
  readonly #config: EndpointConfig
  readonly #models: Endpoint['models']
  readonly #tasks: Endpoint['tasks']

  constructor(view: Endpoint) {
    this.view = view
    this.limits = limitsOf(view)
    this.#config = view.config
    this.#models = view.models
    this.#tasks = view.tasks
    const { measured } = view.config
    this.speed = measured === undefined ? null : measuredStepSpeed(measured)
  }

  serves(model: ModelName, task: Task): boolean {
    return this.view.serves(model, task)
  }

  /** Whether the endpoint has become another one since this was made of it. */
  changed(): boolean {
    const { config, models, tasks } = this.view
    const limits = limitsOf(this.view)
    return (
      config !== this.#config ||
      models !== this.#models ||
      tasks !== this.#tasks ||
      limits.seats !== this.limits.seats ||
      limits.kvTokens !== this.limits.kvTokens
    )
  }
}

/** Room is what the engine says; a step of unknown size is thought to be a usual one. */
function limitsOf({ load }: Endpoint): EndpointLimits {
  return { seats: load?.slots ?? null, kvTokens: load?.kvTokens ?? null, batchTokens: null }
}
