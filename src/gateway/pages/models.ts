/** What clients may ask for: one merged list, aliases included, only what their key may use. */
import { type ModelName, modelName } from '#core/ids.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { type ApiKey, mayUse } from '#gateway/key-ring.ts'

interface ModelEntry {
  readonly id: string
  readonly object: 'model'
  readonly created: number
  readonly owned_by: 'motley'
  /** The shortest context of the endpoints that serve it, in tokens: what fits there fits anywhere. */
  readonly max_model_len: number | null
  readonly motley: {
    readonly endpoints: readonly string[]
    readonly ready: boolean
    readonly alias_of?: string
  }
}

export function modelList(state: GatewayState, key: ApiKey | null) {
  state.tick()
  const data: ModelEntry[] = []
  for (const [model, endpoints] of state.fleet.models) {
    if (mayUse(key, model)) data.push(entryOf(model, model, endpoints))
    for (const alias of state.fleet.aliasesOf(model)) {
      if (mayUse(key, model) || mayUse(key, alias)) {
        data.push(entryOf(alias, model, endpoints))
      }
    }
  }
  for (const model of state.sleepers.models().map(modelName)) {
    // One that sleeps is woken by a request: whoever chooses from the list may choose it.
    if (!state.fleet.knows(model) && mayUse(key, model)) data.push(entryOf(model, model, []))
  }
  return { object: 'list', data }
}

/** Null when no endpoint serves it. */
export function modelPage(state: GatewayState, model: ModelName): ModelEntry | null {
  const sleeps = state.sleepers.models().includes(model)
  const endpoints = state.fleet.models.get(model) ?? (sleeps ? [] : undefined)
  return endpoints === undefined ? null : entryOf(model, model, endpoints)
}

/** The same list for clients that speak Ollama's API. */
export function ollamaTags(state: GatewayState, key: ApiKey | null) {
  return {
    models: modelList(state, key).data.map(({ id }) => ({
      name: id,
      model: id,
      modified_at: new Date(startedAt * 1000).toISOString(),
      size: 0,
      digest: '',
      details: { format: '', family: '', parameter_size: '', quantization_level: '' },
    })),
  }
}

/** Engines do not say when a model was made; clients want a number that stays. */
const startedAt = Math.floor(Date.now() / 1000)

function entryOf(id: string, model: ModelName, endpoints: readonly Endpoint[]): ModelEntry {
  const contexts = endpoints.flatMap((endpoint) => endpoint.models?.get(model)?.contextTokens ?? [])
  return {
    id,
    object: 'model',
    created: startedAt,
    owned_by: 'motley',
    max_model_len: contexts.length === 0 ? null : Math.min(...contexts),
    motley: {
      endpoints: endpoints.map((endpoint) => endpoint.id),
      ready: endpoints.some(({ state }) => state === 'ready' || state === 'busy'),
      ...(id === model ? {} : { alias_of: model }),
    },
  }
}
