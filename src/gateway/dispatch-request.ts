/** What a dispatcher is told of a request: how much work, whose, how urgent, and where it may go. */
import { priorities } from '#core/deployment.ts'
import type { EndpointId, ModelName } from '#core/ids.ts'
import { type ServiceClass, serviceClasses } from '#core/service-class.ts'
import { isInWords } from '#core/task.ts'
import type { PlaceRequest } from '#gateway/dispatch-desk.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import type { ApiKey } from '#gateway/key-ring.ts'
import { modelConfig } from '#gateway/model-config.ts'
import { prefixBlockBytes, prefixBlocks } from '#gateway/prefix-blocks.ts'
import type { Constraint } from '#routing/constraint.ts'
import type { LatencyTargets } from '#routing/dispatcher.ts'
import { defaultTargets, longPromptTargets, serviceRank } from '#routing/service-class.ts'

/** From here on a prompt takes seconds to read on most devices, and its sender knows. */
const longPromptTokens = 8_192

export function dispatchRequest(
  state: GatewayState,
  exchange: Exchange,
  wanted: {
    readonly model: ModelName
    readonly excluded: readonly EndpointId[]
    readonly constraint: Constraint | null
  },
): PlaceRequest {
  const { asked, key, route } = exchange
  if (asked === null) throw new Error('a request is parsed before it is dispatched')
  const { model, excluded, constraint } = wanted
  const inWords = isInWords(route.task)
  const service = serviceOf(state, exchange, model)
  // What was said before it broke off is read again, and whoever waits for the rest waits since then.
  const saidTokens = exchange.brokeOff === null ? 0 : (exchange.soFar?.tokens ?? 0)
  const arrivedAtMs = exchange.brokeOff === null ? exchange.startedMs : state.nowMs()
  const promptTokens = inWords
    ? Math.max(1, promptTokensOf(state, exchange, model) + saidTokens)
    : 1
  return {
    model,
    task: route.task,
    streams: inWords && asked.stream,
    workUnits: inWords ? null : workUnitsOf(exchange),
    promptTokens,
    maxTokens: asked.maxTokens === null ? null : Math.max(1, asked.maxTokens - saidTokens),
    client: key?.name ?? exchange.request.socket.remoteAddress ?? '',
    service,
    targets: inWords ? targetsOf(state, model, service, promptTokens) : noTargets,
    prefixBlocks: inWords ? blocksOf(state, exchange, model) : [],
    prefixBlockTokens: Math.round(prefixBlockBytes / state.promptSizes.bytesPerToken(model)),
    priority: priorityOf(state, key, model),
    arrivedAtMs,
    excluded,
    constraint,
  }
}

const noTargets: LatencyTargets = { ttftMs: null, tpotMs: null }

/** As engines counted such prompts before. */
export function promptTokensOf(state: GatewayState, exchange: Exchange, model: ModelName): number {
  const text = exchange.body?.text ?? null
  if (text !== null) return state.promptSizes.tokens(model, text)
  return Math.ceil((exchange.body?.length ?? 0) / state.promptSizes.bytesPerToken(model))
}

/**
 * Bytes of what was sent: of texts, sound and pictures alike they grow with the work, and only
 * requests of one task for one model are compared. Of speech it is the text to be spoken.
 */
function workUnitsOf({ body, route, asked }: Exchange): number {
  return route.task === 'image' ? (asked?.choices ?? 1) : Math.max(1, body?.length ?? 1)
}

/** Only where there is a choice. */
function blocksOf(state: GatewayState, exchange: Exchange, model: ModelName): readonly number[] {
  const bytes = exchange.body?.inMemory ?? null
  const spans = exchange.asked?.promptSpans ?? []
  if (bytes === null || spans.length === 0) return []
  if (state.fleet.serving(model, exchange.route.task).length < 2) return []
  exchange.prefixBlocks ??= prefixBlocks(
    spans.map(({ start, end }) => bytes.subarray(start, end)),
    model,
  )
  return exchange.prefixBlocks
}

/**
 * The client's word, but no better than its key's class; else the key's; else a stream is one that
 * somebody watches, and what comes in one piece is not.
 */
function serviceOf(state: GatewayState, exchange: Exchange, model: ModelName): ServiceClass {
  const { key, request, asked } = exchange
  const said = request.headers['x-motley-class']
  const own = serviceClasses.find((name) => name === said) ?? null
  const most = key?.service ?? modelConfig(state, model)?.class ?? null
  if (own !== null && most !== null) return serviceRank[own] > serviceRank[most] ? own : most
  return own ?? most ?? (asked?.stream === true ? 'interactive' : 'standard')
}

/** The client's, else the model's, else its deployment's; 0 is normal, as routing has it. */
function priorityOf(state: GatewayState, key: ApiKey | null, model: ModelName): number {
  const said =
    key?.priority ?? modelConfig(state, model)?.priority ?? state.deployed.get(model)?.priority
  return said === undefined ? 0 : priorities.indexOf(said) - priorities.indexOf('normal')
}

/** What the model's entry says, then its deployment's, then what is usual for the class. */
function targetsOf(
  state: GatewayState,
  model: ModelName,
  service: ServiceClass,
  promptTokens: number,
): LatencyTargets {
  const usual =
    service === 'interactive' && promptTokens > longPromptTokens
      ? longPromptTargets
      : defaultTargets[service]
  if (service === 'batch') return usual
  const own = modelConfig(state, model)?.targets
  const deployed = state.deployed.get(model)?.targets
  return {
    ttftMs: own?.ttftMs ?? deployed?.ttftMs ?? usual.ttftMs,
    tpotMs: own?.tpotMs ?? deployed?.tpotMs ?? usual.tpotMs,
  }
}
