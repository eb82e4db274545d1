/** What Prometheus scrapes: counted as requests end, and read off the fleet at each scrape. */

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { EndpointView } from '#core/endpoint.ts'
import type { EndpointStats } from '#gateway/endpoint-stats.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { ReplicaAlarms } from '#gateway/replica-alarms.ts'

/** TTFT from an idle GPU, 20 ms, to a long prefill on a CPU, minutes. */
const ttftBucketsSeconds = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120]
const durationBucketsSeconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]

/** What is read off at a scrape and not counted as it happens. */
export interface GaugeValues {
  readonly endpoints: readonly (EndpointView & { readonly stats: EndpointStats })[]
  readonly waitingRequests: number
  readonly logLinesDropped: number
  readonly replicaAlarms: readonly ReplicaAlarms[]
}

export class GatewayMetrics {
  readonly registry = new Registry()
  readonly requests: Counter<'api' | 'model' | 'status'>
  readonly attempts: Counter<'endpoint' | 'outcome'>
  readonly tokens: Counter<'model' | 'direction'>
  readonly ttft: Histogram<'model'>
  readonly duration: Histogram<'model'>
  readonly queueWait: Histogram<'model'>
  readonly retriesRefused: Counter
  readonly continued: Counter<'model'>
  readonly scriptFailures: Counter
  readonly #logLinesDropped: Gauge
  readonly #byModel = new Map<string, ModelFigures>()
  readonly #inFlight: Gauge<'endpoint'>
  readonly #state: Gauge<'endpoint' | 'state'>
  readonly #waiting: Gauge
  readonly #replicaAlarms: Gauge<'node' | 'replica'>

  constructor() {
    const registers = [this.registry]
    this.requests = new Counter({
      name: 'motley_requests_total',
      help: 'Client requests that are over, by API, model and HTTP status.',
      labelNames: ['api', 'model', 'status'],
      registers,
    })
    this.attempts = new Counter({
      name: 'motley_attempts_total',
      help: 'Attempts on endpoints: all, and those that ended badly by how they ended.',
      labelNames: ['endpoint', 'outcome'],
      registers,
    })
    this.tokens = new Counter({
      name: 'motley_tokens_total',
      help: 'Tokens as engines reported them, or as counted where an answer was cut, by direction.',
      labelNames: ['model', 'direction'],
      registers,
    })
    this.ttft = new Histogram({
      name: 'motley_time_to_first_token_seconds',
      help: 'Time from a request to the first byte of its streamed answer.',
      labelNames: ['model'],
      buckets: ttftBucketsSeconds,
      registers,
    })
    this.duration = new Histogram({
      name: 'motley_request_duration_seconds',
      help: 'Time from a request to the end of its answer.',
      labelNames: ['model'],
      buckets: durationBucketsSeconds,
      registers,
    })
    this.queueWait = new Histogram({
      name: 'motley_queue_wait_seconds',
      help: 'Time that requests waited in the gateway for room at an endpoint.',
      labelNames: ['model'],
      buckets: ttftBucketsSeconds,
      registers,
    })
    this.continued = new Counter({
      name: 'motley_answers_continued_total',
      help: 'Answers that broke off at one endpoint and went on at another, by model.',
      labelNames: ['model'],
      registers,
    })
    this.retriesRefused = new Counter({
      name: 'motley_retries_refused_total',
      help: 'Retries that the retry budget did not allow.',
      registers,
    })
    this.scriptFailures = new Counter({
      name: 'motley_routing_script_failures_total',
      help: 'Requests that routing.script gave no answer for: rules alone decided.',
      registers,
    })
    this.#logLinesDropped = new Gauge({
      name: 'motley_access_log_lines_dropped',
      help: 'Access log lines that could not be written since the start.',
      registers,
    })
    this.#inFlight = new Gauge({
      name: 'motley_endpoint_in_flight_requests',
      help: 'Requests at an endpoint that are not over.',
      labelNames: ['endpoint'],
      registers,
    })
    this.#state = new Gauge({
      name: 'motley_endpoint_state',
      help: '1 for the state that the endpoint is in.',
      labelNames: ['endpoint', 'state'],
      registers,
    })
    this.#waiting = new Gauge({
      name: 'motley_waiting_requests',
      help: 'Requests that wait in the gateway for room at an endpoint.',
      registers,
    })
    this.#replicaAlarms = new Gauge({
      name: 'motley_replica_alarms',
      help: 'What is wrong with a replica that answers, as a fallback to the CPU; 0 when all is well.',
      labelNames: ['node', 'replica'],
      registers,
    })
  }

  /** `model` is a name the fleet knows, or a fixed word: never free text of a client. */
  noteEnd(exchange: Exchange, model: string, status: number, totalMs: number): void {
    const figures = this.#figuresOf(model)
    figures.noteStatus(exchange.route.api.name, status)
    figures.duration.observe(totalMs / 1000)
    if (exchange.asked?.stream === true && exchange.ttftMs !== null) {
      figures.ttft.observe(exchange.ttftMs / 1000)
    }
    if (exchange.queueMs > 0) figures.queueWait.observe(exchange.queueMs / 1000)
    if (exchange.spent !== null) {
      figures.promptTokens += exchange.spent.promptTokens
      figures.completionTokens += exchange.spent.completionTokens
    }
  }

  #figuresOf(model: string): ModelFigures {
    let figures = this.#byModel.get(model)
    if (figures === undefined) {
      figures = new ModelFigures(this, model)
      this.#byModel.set(model, figures)
    }
    return figures
  }

  /** The page of a scrape, with what is true at this moment. */
  async page(now: GaugeValues): Promise<string> {
    this.#inFlight.reset()
    this.#state.reset()
    this.attempts.reset()
    for (const { id, inFlight, state, stats } of now.endpoints) {
      this.#inFlight.set({ endpoint: id }, inFlight)
      this.#state.set({ endpoint: id, state }, 1)
      for (const [outcome, count] of Object.entries({
        all: stats.requests,
        connect_error: stats.connectErrors,
        response_error: stats.responseErrors,
        timeout: stats.timeouts,
        key_refused: stats.keyRefusals,
        client_abort: stats.clientAborts,
      })) {
        this.attempts.inc({ endpoint: id, outcome }, count)
      }
    }
    this.requests.reset()
    this.tokens.reset()
    for (const [model, figures] of this.#byModel) {
      for (const [api, byStatus] of figures.requests) {
        for (const [status, count] of byStatus) {
          this.requests.inc({ api, model, status: String(status) }, count)
        }
      }
      if (figures.promptTokens + figures.completionTokens === 0) continue
      this.tokens.inc({ model, direction: 'prompt' }, figures.promptTokens)
      this.tokens.inc({ model, direction: 'completion' }, figures.completionTokens)
    }
    this.#replicaAlarms.reset()
    for (const { node, replica, alarms } of now.replicaAlarms) {
      this.#replicaAlarms.set({ node, replica }, alarms.length)
    }
    this.#waiting.set(now.waitingRequests)
    this.#logLinesDropped.set(now.logLinesDropped)
    return this.registry.metrics()
  }
}

/**
 * What happened to one model. Finding a series by its labels costs more than counting, so counters
 * are told at a scrape, and histograms keep what was found.
 */
class ModelFigures {
  readonly duration: Histogram.Internal<'model'>
  readonly ttft: Histogram.Internal<'model'>
  readonly queueWait: Histogram.Internal<'model'>
  /** By API and status. */
  readonly requests = new Map<string, Map<number, number>>()
  promptTokens = 0
  completionTokens = 0

  constructor(metrics: GatewayMetrics, model: string) {
    this.duration = metrics.duration.labels({ model })
    this.ttft = metrics.ttft.labels({ model })
    this.queueWait = metrics.queueWait.labels({ model })
  }

  noteStatus(api: string, status: number): void {
    let byStatus = this.requests.get(api)
    if (byStatus === undefined) {
      byStatus = new Map()
      this.requests.set(api, byStatus)
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
  }
}
