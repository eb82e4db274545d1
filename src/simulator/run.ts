/** One run: a fleet, a trace at some load, a policy and a seed, and what came of it. */
import { modelName } from '#core/ids.ts'
import type { LatencyTargets } from '#routing/dispatcher.ts'
import type { StepSpeed } from '#routing/step-speed.ts'
import type { Arrival } from '#simulator/arrival.ts'
import type { Fault } from '#simulator/fault.ts'
import type { FleetEndpoint } from '#simulator/fleet-file.ts'
import { type RequestMix, sustained } from '#simulator/ideal-weight.ts'
import { type Metrics, metricsOf } from '#simulator/metrics.ts'
import { type PlayedOptions, playedTrace } from '#simulator/played-trace.ts'
import type { Policy } from '#simulator/policies.ts'
import { servesModel } from '#simulator/serves-model.ts'
import type { SimulatedEndpoint } from '#simulator/simulated-endpoint.ts'
import { simulate } from '#simulator/simulation.ts'
import { stepSpeedOf } from '#simulator/step-speed-of.ts'
import type { Trace } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

export interface RunOptions extends PlayedOptions {
  readonly fleet: readonly FleetEndpoint[]
  readonly policy: Policy
  readonly targets: LatencyTargets
  /** Requests of the first while are served and not counted. */
  readonly warmUpMs?: number
  /** After the last arrival, how long answers may take before the run is ended. */
  readonly drainMs?: number
  readonly faults?: readonly Fault[]
  readonly reportEveryMs?: number
  readonly reportDelayMs?: number
  readonly bypassRatio?: number
  /** Speeds told are wrong by a factor between 1/(1 + this) and 1 + this, another for each. */
  readonly speedErrorRatio?: number
  /** What is told of the endpoints: all, their room alone, or nothing, as of plain URLs. */
  readonly tells?: boolean | 'room'
  /** Whether policies get the weights and limits they would like: otherwise all are the same. */
  readonly tuned?: boolean
  readonly hostNowMs?: () => number
  /** Hears often how much of the run is over, of 1. */
  readonly onProgress?: (doneRatio: number) => void
}

const defaults = {
  warmUpMs: 60_000,
  drainMs: 200_000,
  reportEveryMs: 1_000,
  reportDelayMs: 50,
}

/** Seeds of the parts of a run, so that none of them shifts when another one draws more. */
const seedSteps = { policy: 7_919, speeds: 104_729 }

export function run(options: RunOptions): Metrics {
  const { policy, seed, targets, onProgress } = options
  const played = playedTrace(options)
  const durationMs = played.spanMs
  const chance = seededChance(seed * seedSteps.policy)
  const endpoints = endpointsOf(options)
  const result = simulate({
    endpoints,
    arrivals: arrivalsOf(played, targets),
    dispatcher: policy.dispatcher({ chance, explain: false }),
    faults: options.faults ?? [],
    bypassRatio: options.bypassRatio ?? 0,
    chance,
    untilMs: durationMs + (options.drainMs ?? defaults.drainMs),
    reportEveryMs: policy.readsReports ? (options.reportEveryMs ?? defaults.reportEveryMs) : 0,
    reportDelayMs: options.reportDelayMs ?? defaults.reportDelayMs,
    ...(options.hostNowMs !== undefined && { hostNowMs: options.hostNowMs }),
    ...(onProgress !== undefined && { onArrival: (atMs) => onProgress(atMs / durationMs) }),
  })
  return metricsOf(result, {
    fromMs: options.warmUpMs ?? defaults.warmUpMs,
    untilMs: durationMs,
    endpoints: endpoints.length,
  })
}

/** What may be asked of an endpoint, on average. */
function mixFor(endpoint: FleetEndpoint, trace: Trace): RequestMix {
  const requests = trace.requests.filter(({ model }) => servesModel(endpoint, model))
  const count = Math.max(1, requests.length)
  return {
    promptTokens: requests.reduce((sum, { promptTokens }) => sum + promptTokens, 0) / count,
    outputTokens: requests.reduce((sum, { outputTokens }) => sum + outputTokens, 0) / count,
  }
}

/** Without a TPOT target, weights are of steps that a reader still finds quick. */
const weightTpotMs = 100

function endpointsOf(options: RunOptions): SimulatedEndpoint[] {
  const { policy, targets, seed, speedErrorRatio = 0, tells = true, tuned = true } = options
  const chance = seededChance(seed * seedSteps.speeds)
  const mixes = new Map<FleetEndpoint['models'], RequestMix>()
  return options.fleet.map((endpoint) => {
    const { models } = endpoint
    const mix = mixes.get(models) ?? mixFor(endpoint, options.trace)
    mixes.set(models, mix)
    const ideal = sustained(endpoint, mix, targets.tpotMs ?? weightTpotMs)
    const wrongBy = (1 + speedErrorRatio) ** (2 * chance() - 1)
    return {
      id: endpoint.name,
      models: models?.map(modelName) ?? null,
      stepTime: endpoint.stepTime,
      behaviour: endpoint.behaviour,
      seats: endpoint.seats,
      kvTokens: endpoint.kvTokens,
      batchTokens: endpoint.batchTokens,
      // One that can sustain nothing within the target still takes a request now and then.
      weight: policy.weights === 'even' || !tuned ? 1 : Math.max(1e-3, ideal.requestsPerSecond),
      maxInFlight:
        policy.limitRatio === null || !tuned
          ? null
          : Math.max(1, Math.round(policy.limitRatio * ideal.inFlight)),
      told: tells === true ? scaled(stepSpeedOf(endpoint), wrongBy) : null,
      tellsLimits: tells !== false,
    }
  })
}

function scaled(speed: StepSpeed, factor: number): StepSpeed {
  if (factor === 1) return speed
  return {
    fixedMs: speed.fixedMs * factor,
    linearMs: speed.linearMs.map(([tokens, ms]) => [tokens, ms * factor]),
    decodeMsPerContextToken: speed.decodeMsPerContextToken * factor,
    prefillMsPerTokenPair: speed.prefillMsPerTokenPair * factor,
  }
}

function arrivalsOf(trace: Trace, targets: LatencyTargets): Arrival[] {
  return trace.requests.map((request) => ({
    atMs: request.arrivalMs,
    model: modelName(request.model ?? 'model'),
    client: request.client ?? 'client',
    service: 'interactive',
    targets,
    promptTokens: request.promptTokens,
    outputTokens: request.outputTokens,
    prefixBlocks: request.prefixHashes,
    prefixBlockTokens: trace.prefixBlockTokens,
  }))
}
