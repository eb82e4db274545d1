/**
 * Watches endpoints: asks each of them again and again how it is and reports what it said. Judging
 * an endpoint by these reports is the gateway's business.
 */
import {
  type CheckMemory,
  type CheckResult,
  checkEndpoint,
  newMemory,
} from '#agent/endpoint-check.ts'
import { openPageFetcher } from '#agent/fetch-page.ts'
import type { PageFetcher } from '#agent/page-fetcher.ts'
import { type EndpointConfig, endpointName } from '#core/config/endpoints.ts'
import { type EndpointId, endpointId } from '#core/ids.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import { type Clock, systemClock } from '#std/clock.ts'

export interface WatchOptions {
  readonly endpoints: readonly EndpointConfig[]
  /** Called once for each check; never after {@link EndpointWatcher.close} or a removal. */
  report(report: EndpointReport): void
  /** Left out: over HTTP. */
  readonly fetchPage?: PageFetcher
  readonly clock?: Clock
  /** A number from 0 up to 1, as Math.random. */
  readonly random?: () => number
}

export interface EndpointWatcher {
  /**
   * What is watched from now on, but for what is held. What is asked the same way as before goes on
   * undisturbed.
   */
  update(endpoints: readonly EndpointConfig[]): void
  /** Checks soon, because a request has just failed there. An unknown endpoint is ignored. */
  checkNow(id: EndpointId): void
  /** Stops every check, those under way included. */
  close(): void
}

/**
 * An endpoint that is not ready is asked again this soon, or after a third of its interval if that
 * is less: two checks in a row must fail before an endpoint counts as dead, and with the defaults
 * (1.5 s apart, 1 s each) the second is over 4 s after the last sign of life.
 */
const recheckMsMax = 500

/**
 * Intervals are shortened by up to a fifth, so that the checks of a fleet spread out however they
 * began. Shortened only: a longer interval would break the promise above.
 */
const jitterRatio = 0.2

/** A failing endpoint under heavy traffic is asked for checks with every request that fails. */
const checkNowGapMs = 100

export function watchEndpoints(options: WatchOptions): EndpointWatcher {
  const { report, clock = systemClock, random = Math.random } = options
  const ownFetcher = options.fetchPage === undefined ? openPageFetcher() : null
  const fetchPage = options.fetchPage ?? ownFetcher?.fetchPage
  if (fetchPage === undefined) throw new Error('a page fetcher is given or opened')
  const tools: WatchTools = { report, clock, random, fetchPage }
  const watches = new Map<EndpointId, EndpointWatch>()
  let closed = false

  const update = (endpoints: readonly EndpointConfig[]): void => {
    if (closed) return
    const asked = endpoints.filter(({ held }) => held === undefined)
    const wanted = new Map(asked.map((config) => [endpointId(endpointName(config)), config]))
    for (const [id, watch] of watches) {
      const config = wanted.get(id)
      if (config !== undefined && watch.asksLike(config)) continue
      watch.stop()
      watches.delete(id)
    }
    for (const [id, config] of wanted) {
      if (watches.has(id)) continue
      const watch = new EndpointWatch(id, config, tools)
      watches.set(id, watch)
      watch.start()
    }
  }

  update(options.endpoints)
  return {
    update,
    checkNow(id) {
      watches.get(id)?.checkNow()
    },
    close() {
      closed = true
      for (const watch of watches.values()) watch.stop()
      watches.clear()
      ownFetcher?.close()
    },
  }
}

type WatchTools = Required<Omit<WatchOptions, 'endpoints'>>

/** One endpoint and its checks, one after the other. */
class EndpointWatch {
  readonly #id: EndpointId
  readonly #config: EndpointConfig
  readonly #tools: WatchTools
  readonly #stop = new AbortController()
  #memory: CheckMemory
  #checking = false
  #startedAtMs = Number.NEGATIVE_INFINITY
  #cancelTimer = (): void => {}

  constructor(id: EndpointId, config: EndpointConfig, tools: WatchTools) {
    this.#id = id
    this.#config = config
    this.#tools = tools
    this.#memory = newMemory(config)
  }

  asksLike(config: EndpointConfig): boolean {
    return questions(config) === questions(this.#config)
  }

  start(): void {
    void this.#check()
  }

  stop(): void {
    this.#cancelTimer()
    this.#stop.abort()
  }

  checkNow(): void {
    // The check under way is about to say it, or the user wants none.
    if (this.#checking || !this.#config.health.enabled) return
    const sinceMs = this.#tools.clock.nowMs() - this.#startedAtMs
    this.#scheduleCheck(Math.max(0, checkNowGapMs - sinceMs))
  }

  async #check(): Promise<void> {
    const { clock, fetchPage, report } = this.#tools
    const { signal } = this.#stop
    this.#checking = true
    this.#startedAtMs = clock.nowMs()
    let result: CheckResult
    try {
      result = await checkEndpoint({
        id: this.#id,
        config: this.#config,
        memory: this.#memory,
        fetchPage,
        clock,
        signal,
      })
    } catch (error) {
      if (signal.aborted) return
      throw error
    }
    if (signal.aborted) return
    this.#checking = false
    this.#memory = result.memory
    this.#scheduleNext(result.report.check.code !== null)
    report(result.report)
  }

  #scheduleNext(answered: boolean): void {
    const { intervalMs, enabled } = this.#config.health
    const { ready, engine, modelsKnown } = this.#memory
    const { clock, random } = this.#tools
    const shortened = 1 - jitterRatio * random()
    if (!enabled) {
      // Without health checks there is nothing to ask once it is known what it is and serves.
      if (modelsKnown && (answered || engine !== null)) return
      this.#scheduleCheck(intervalMs * shortened)
    } else if (ready) {
      const elapsedMs = clock.nowMs() - this.#startedAtMs
      this.#scheduleCheck(Math.max(0, intervalMs * shortened - elapsedMs))
    } else {
      this.#scheduleCheck(Math.min(intervalMs / 3, recheckMsMax) * shortened)
    }
  }

  /** There is one timer: a new one takes the place of the old. */
  #scheduleCheck(afterMs: number): void {
    this.#cancelTimer()
    this.#cancelTimer = this.#tools.clock.schedule(afterMs, () => {
      void this.#check()
    })
  }
}

/** All that decides what is asked of an endpoint, and how; its weight, say, does not. */
function questions(config: EndpointConfig): string {
  const { url, engine, models, contextTokens, apiKey, health } = config
  const { path, intervalMs, timeoutMs, enabled } = health
  const what = [url, engine, models, contextTokens, apiKey, path, intervalMs, timeoutMs, enabled]
  return JSON.stringify(what)
}
