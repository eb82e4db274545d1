/** Counters of one endpoint, for people: the columns that operators of HAProxy know. */
import type { EndpointState } from '#core/endpoint.ts'

/** How one request to an endpoint ended, as operators count it. */
export type Outcome =
  | 'ok'
  | 'client-error'
  | 'server-error'
  | 'connect-error'
  | 'response-error'
  | 'timeout'
  | 'client-abort'
  | 'rate-limited'
  /** The engine does not accept the key that this gateway has for it. */
  | 'key-refused'
  /** The gateway itself stopped. */
  | 'shutdown'

export class EndpointStats {
  requests = 0
  inFlightMax = 0
  bytesIn = 0
  bytesOut = 0
  connectErrors = 0
  responseErrors = 0
  timeouts = 0
  keyRefusals = 0
  clientAborts = 0
  /** Attempts that failed here and went on elsewhere, or here again. */
  retries = 0
  /** Attempts that came here after another endpoint had failed. */
  redispatches = 0
  failedChecks = 0
  timesDown = 0
  downMs = 0
  promptTokens = 0
  completionTokens = 0
  readonly statusClasses: [number, number, number, number, number] = [0, 0, 0, 0, 0]
  readonly connectMs = new RecentMean()
  readonly ttftMs = new RecentMean()
  readonly totalMs = new RecentMean()
  readonly queueMs = new RecentMean()

  begin(inFlight: number): void {
    this.requests++
    if (inFlight > this.inFlightMax) this.inFlightMax = inFlight
  }

  end(outcome: Outcome): void {
    switch (outcome) {
      case 'connect-error':
        this.connectErrors++
        break
      case 'response-error':
        this.responseErrors++
        break
      case 'timeout':
        this.timeouts++
        break
      case 'key-refused':
        this.keyRefusals++
        break
      case 'client-abort':
        this.clientAborts++
        break
      case 'ok':
      case 'client-error':
      case 'server-error':
      case 'rate-limited':
      case 'shutdown':
        break
    }
  }

  noteStatus(status: number): void {
    const index = Math.floor(status / 100) - 1
    if (index >= 0 && index < 5) this.statusClasses[index as 0]++
  }

  noteStateChange(from: EndpointState, to: EndpointState, lastedMs: number): void {
    if (to === 'failed') this.timesDown++
    if (from === 'failed') this.downMs += lastedMs
  }
}

/** Mean of about the last 1024 samples, as HAProxy keeps its times, and the largest ever. */
export class RecentMean {
  static readonly samples = 1024
  #sum = 0
  #count = 0
  max = 0

  add(value: number): void {
    if (this.#count < RecentMean.samples) this.#count++
    else this.#sum -= this.#sum / RecentMean.samples
    this.#sum += value
    if (value > this.max) this.max = value
  }

  /** Null before the first sample. */
  get mean(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count
  }
}
