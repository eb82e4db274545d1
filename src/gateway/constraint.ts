/** What `routing.rules` and `routing.script` say of the endpoints of one request. */
import type { EndpointFacts } from '#core/endpoint-facts.ts'
import type { ModelName } from '#core/ids.ts'
import { parameterCountIn } from '#core/model-size.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { promptTokens } from '#gateway/prompt-tokens.ts'
import type { ScriptEndpoint } from '#gateway/script/script-wire.ts'
import type { Constraint } from '#routing/constraint.ts'
import { type HeldRules, rulesFor } from '#routing/rules/apply-rules.ts'
import type { RuleEndpoint } from '#routing/rules/rule.ts'

/** Null where nobody says anything; a promise only where a script has to be asked. */
export function constraintFor(
  state: GatewayState,
  exchange: Exchange,
  model: ModelName,
): Constraint | null | Promise<Constraint | null> {
  const { rules } = state.config.routing
  if (rules.length === 0 && state.script === null) return null
  const request = {
    model,
    parameterCount: parameterCountIn(model),
    task: exchange.route.task,
    key: exchange.key?.name ?? null,
    promptTokens: promptTokens(exchange),
  }
  const held = rulesFor(rules, request)
  const endpoints = new Map(
    state.fleet
      .serving(model, exchange.route.task)
      .map((endpoint) => [endpoint.id, { id: endpoint.id, facts: factsOf(endpoint) }]),
  )
  if (state.script === null) return held === null ? null : ofRules(held, endpoints)
  // A script sees what the rules leave: it may narrow them, and never widen.
  const offered = state.fleet
    .serving(model, exchange.route.task)
    .filter(({ id }) => held?.refuse(endpoints.get(id) ?? unknown(id)) == null)
  return state.script
    .choose(
      {
        ...request,
        maxTokens: exchange.asked?.maxTokens ?? null,
        stream: exchange.asked?.stream ?? false,
      },
      offered.map(scriptEndpoint),
    )
    .then((verdict) => {
      if (verdict.kind === 'failed') {
        state.scriptFailed(exchange, model, verdict.why)
        return held === null ? null : ofRules(held, endpoints)
      }
      const allowed = new Set(verdict.names)
      const rulesOnly = held === null ? null : ofRules(held, endpoints)
      return {
        group: `${rulesOnly?.group ?? ''} ${verdict.names.join(' ')}`,
        refuse: (id) =>
          rulesOnly?.refuse(id) ?? (allowed.has(id) ? null : ({ kind: 'script' } as const)),
        misses: (id) => rulesOnly?.misses(id) ?? 0,
      }
    })
}

function ofRules(held: HeldRules, endpoints: ReadonlyMap<string, RuleEndpoint>): Constraint {
  return {
    group: held.group,
    refuse: (id) => held.refuse(endpoints.get(id) ?? unknown(id)),
    misses: (id) => held.misses(endpoints.get(id) ?? unknown(id)),
  }
}

/** One that came to serve the model since: what it is was not looked at, so nothing is known. */
function unknown(id: string): RuleEndpoint {
  return {
    id,
    facts: { backend: null, deviceMemoryBytes: null, node: null, engine: null, labels: {} },
  }
}

function factsOf({ config, engine, labels }: Endpoint): EndpointFacts {
  return {
    backend: config.backend ?? null,
    deviceMemoryBytes: config.vram ?? null,
    node: labels['node'] ?? null,
    engine,
    labels,
  }
}

function scriptEndpoint(endpoint: Endpoint): ScriptEndpoint {
  const { backend, deviceMemoryBytes, node, engine, labels } = factsOf(endpoint)
  const { id, state, weight, inFlight, ttftMs } = endpoint
  return {
    name: id,
    state,
    engine,
    backend,
    vramBytes: deviceMemoryBytes,
    node,
    labels,
    weight,
    inFlight,
    ttftMs,
  }
}
