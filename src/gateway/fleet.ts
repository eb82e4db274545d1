/**
 * The endpoints this gateway knows, by name and by the models they serve. Reports and reloads
 * change it between requests; a request looks at it at the moment it needs an endpoint.
 */

import { ByTaskAndModel } from '#core/by-task-and-model.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { endpointName } from '#core/config/endpoints.ts'
import type { ServedModel } from '#core/endpoint.ts'
import { type EndpointId, endpointId, type ModelName, modelName } from '#core/ids.ts'
import type { Task } from '#core/task.ts'
import { Endpoint, type Instant } from '#gateway/endpoint.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'

const latest = ':latest'

export class Fleet {
  readonly #instant: Instant
  readonly #endpoints = new Map<EndpointId, Endpoint>()
  /** Removed by a reload, with requests still running. */
  readonly #leaving = new Set<Endpoint>()
  #byModel = new Map<ModelName, Endpoint[]>()
  /** What of `#byModel` serves a task, as far as it was asked for. */
  readonly #serving = new ByTaskAndModel<readonly Endpoint[]>()
  /** Of each model, the shortest context that is known, where they differ. */
  #shortest = new Map<ModelName, number>()
  #aliases = new Map<string, ModelName>()
  /** Finish tag of the last turn taken; see the round-robin picker. */
  turnNow = 0

  constructor(instant: Instant) {
    this.#instant = instant
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()]
  }

  /** Makes the fleet what the configuration says. Endpoints that stay keep all they know. */
  configure(config: MotleyConfig): void {
    const { slowStartMs } = config.routing
    const names = new Set<EndpointId>()
    for (const entry of config.endpoints) {
      const id = endpointId(endpointName(entry))
      names.add(id)
      const known = this.#endpoints.get(id)
      if (known === undefined) {
        this.#endpoints.set(id, new Endpoint(entry, this.#instant, slowStartMs))
      } else {
        known.reconfigure(entry, slowStartMs)
      }
    }
    for (const [id, endpoint] of this.#endpoints) {
      if (names.has(id)) continue
      endpoint.drain()
      this.#endpoints.delete(id)
      if (endpoint.inFlight === 0) void endpoint.close()
      else this.#leaving.add(endpoint)
    }
    this.#aliases = new Map()
    for (const [name, model] of Object.entries(config.models)) {
      for (const alias of model.aliases) this.#aliases.set(alias, modelName(name))
    }
    this.#index()
  }

  /** Closes the connections of endpoints that were removed once their last request is over. */
  forgetLeft(): void {
    for (const endpoint of this.#leaving) {
      if (endpoint.inFlight > 0) continue
      this.#leaving.delete(endpoint)
      void endpoint.close()
    }
  }

  get leaving(): readonly Endpoint[] {
    return [...this.#leaving]
  }

  /** Returns the endpoint, or null when the report is about one that is not here any more. */
  apply(report: EndpointReport): Endpoint | null {
    const endpoint = this.#endpoints.get(report.endpoint)
    if (endpoint === undefined) return null
    const { models, tasks } = endpoint
    endpoint.apply(report)
    if (endpoint.models !== models || endpoint.tasks !== tasks) this.#index()
    return endpoint
  }

  /** The model that a client means by this name; the name itself when it is no alias. */
  resolve(name: string): ModelName {
    const model = this.#aliases.get(name) ?? modelName(name)
    if (!model.endsWith(latest) || this.#byModel.has(model)) return model
    // Clients of Ollama's API may write a name with the tag that it has anyway.
    const plain = name.slice(0, -latest.length)
    return this.#aliases.get(plain) ?? modelName(plain)
  }

  /** Endpoints that serve the model, or might for this task. Empty when none is known to. */
  serving(model: ModelName, task: Task): readonly Endpoint[] {
    const endpoints = this.#byModel.get(model)
    if (endpoints === undefined) return []
    const asked = { model, task }
    const known = this.#serving.get(asked)
    if (known !== undefined) return known
    const serving = endpoints.filter((endpoint) => endpoint.serves(model, task))
    return this.#serving.set(asked, serving)
  }

  /** A prompt up to it may go to any endpoint of the model; null where all hold as much. */
  shortestContext(model: ModelName): number | null {
    return this.#shortest.get(model) ?? null
  }

  /** Whether any endpoint serves the model, for whatever task. */
  knows(model: ModelName): boolean {
    return this.#byModel.has(model)
  }

  /** Every model with those that serve it, in the order in which they became known. */
  get models(): ReadonlyMap<ModelName, readonly Endpoint[]> {
    return this.#byModel
  }

  aliasesOf(model: ModelName): readonly string[] {
    return [...this.#aliases].filter(([, target]) => target === model).map(([alias]) => alias)
  }

  /** Endpoints that have not said yet what they serve. */
  get unread(): readonly Endpoint[] {
    return this.endpoints.filter((endpoint) => endpoint.models === null)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#endpoints.values(), ...this.#leaving].map((one) => one.close()))
  }

  #index(): void {
    this.#serving.clear()
    this.#byModel = new Map()
    for (const endpoint of this.#endpoints.values()) {
      for (const model of endpoint.models?.keys() ?? []) {
        const list = this.#byModel.get(model)
        if (list === undefined) this.#byModel.set(model, [endpoint])
        else list.push(endpoint)
      }
    }
    this.#shortest = new Map()
    for (const [model, endpoints] of this.#byModel) {
      const contexts = new Set(
        endpoints.map((one) => servedModel(one, model)?.contextTokens ?? Number.POSITIVE_INFINITY),
      )
      if (contexts.size > 1) this.#shortest.set(model, Math.min(...contexts))
    }
  }
}

/** What the endpoint serves under this name; it must be one of `serving`'s. */
export function servedModel(endpoint: Endpoint, model: ModelName): ServedModel | null {
  return endpoint.models?.get(model) ?? null
}
