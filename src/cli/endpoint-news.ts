/**
 * Says when an endpoint goes down and when it is back, for the operator who reads the output. It
 * judges the checks of the watcher by the rules of the gateway.
 */
import { afterCheck, type EndpointHealth, newHealth, stateOf } from '#core/endpoint-health.ts'
import type { EndpointId } from '#core/ids.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'

interface Known {
  readonly health: EndpointHealth
  /** What was told last. One that is well from the start is no news. */
  readonly told: 'ready' | 'failed'
}

export class EndpointNews {
  readonly #known = new Map<EndpointId, Known>()

  /**
   * The line to print after a report; null when it is no news. `inFlight` is how many requests run
   * there: one that is at work may miss a check.
   */
  note(report: EndpointReport, inFlight: number): string | null {
    const { endpoint, atMs: nowMs } = report
    const before = this.#known.get(endpoint) ?? { health: newHealth(nowMs), told: 'ready' }
    const progressAtMs = inFlight > 0 ? nowMs : before.health.aliveAtMs
    const health = afterCheck(before.health, report.check, { nowMs, inFlight, progressAtMs })
    const state = stateOf(health, { nowMs, inFlight, maxInFlight: null })
    const told = state === 'ready' || state === 'failed' ? state : before.told
    this.#known.set(endpoint, { health, told })
    if (told === before.told) return null
    if (told === 'ready') return `${endpoint} is ready`
    return `${endpoint} is failed${health.reason === null ? '' : `: ${health.reason}`}`
  }

  /** Endpoints that are gone start anew if they ever come back. */
  keepOnly(endpoints: ReadonlySet<EndpointId>): void {
    for (const id of this.#known.keys()) if (!endpoints.has(id)) this.#known.delete(id)
  }
}
