/** For tests: a watcher on a clock that they hold, and endpoints that are tables of pages. */
import { type EndpointWatcher, type WatchOptions, watchEndpoints } from '#agent/endpoint-watcher.ts'
import type { PageFetcher, PageOutcome } from '#agent/page-fetcher.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { endpointId } from '#core/ids.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import type { Clock } from '#std/clock.ts'

export type Page = string | object | PageOutcome
export type Pages = Readonly<Record<string, Page>>

export const answer = (status: number, body: string, headers = {}): PageOutcome => ({
  kind: 'answer',
  answer: { status, headers, body },
})
export const refused: PageOutcome = { kind: 'refused', detail: 'the connection was refused' }
const isOutcome = (page: object): page is PageOutcome => 'kind' in page

class HeldClock implements Clock {
  readonly timers = new Set<{ readonly atMs: number; readonly run: () => void }>()
  #nowMs = 0

  nowMs(): number {
    return this.#nowMs
  }

  schedule(afterMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + afterMs, run }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  /** Runs what falls due on the way, and lets it come to rest. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await atRest()
    for (;;) {
      const [next] = [...this.timers].sort((a, b) => a.atMs - b.atMs)
      if (next === undefined || next.atMs > untilMs) break
      this.timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
      await atRest()
    }
    this.#nowMs = untilMs
  }
}

export const atRest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One endpoint whose pages a test changes as it goes. */
export class World {
  readonly clock = new HeldClock()
  readonly reports: EndpointReport[] = []
  readonly asked: string[] = []
  pages: Pages | 'refused' | 'silent' = {}
  delayMs = 0
  random = 0
  inFlight = 0
  inFlightMax = 0
  watcher: EndpointWatcher | null = null

  readonly fetchPage: PageFetcher = async ({ path, timeoutMs, signal }) => {
    this.asked.push(path)
    this.inFlight++
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
    try {
      return await this.#outcome(path, timeoutMs, signal)
    } finally {
      this.inFlight--
    }
  }

  watch(...endpoints: readonly EndpointConfig[]): EndpointWatcher {
    const options: WatchOptions = {
      endpoints,
      report: (report) => this.reports.push(report),
      fetchPage: this.fetchPage,
      clock: this.clock,
      random: () => this.random,
    }
    this.watcher = watchEndpoints(options)
    return this.watcher
  }

  get last(): EndpointReport {
    return this.reports.at(-1) as EndpointReport
  }

  /** Time and verdict of each report, as a story. */
  get story(): string[] {
    return this.reports.map(
      ({ atMs, check, engine }) =>
        `${Math.round(atMs)} ${check.status} ${check.verdict} ${engine ?? '-'}`,
    )
  }

  async #outcome(path: string, timeoutMs: number, signal: AbortSignal): Promise<PageOutcome> {
    const { pages } = this
    if (pages === 'refused') return refused
    const silent = pages === 'silent' || this.delayMs >= timeoutMs
    const waitMs = silent ? timeoutMs : this.delayMs
    if (waitMs > 0) {
      await new Promise<void>((resolve, reject) => {
        const cancel = this.clock.schedule(waitMs, resolve)
        signal.addEventListener('abort', () => {
          cancel()
          reject(signal.reason)
        })
      })
    }
    if (silent) return { kind: 'answer-timeout', detail: `it did not answer within ${waitMs} ms` }
    const page = typeof pages === 'string' ? undefined : pages[path]
    if (page === undefined) return answer(404, '{"detail":"Not Found"}')
    if (typeof page === 'string') return answer(200, page)
    return isOutcome(page) ? page : answer(200, JSON.stringify(page))
  }
}

export const list = (...ids: string[]): object => ({
  object: 'list',
  data: ids.map((id) => ({ id })),
})

export const vllmPages: Pages = {
  '/version': { version: '0.11.0' },
  '/health': '',
  '/v1/models': { object: 'list', data: [{ id: 'llama', max_model_len: 8_192 }] },
  '/metrics': 'vllm:num_requests_running 2\nvllm:num_requests_waiting 1\n',
}

export const llamaPages: Pages = {
  '/props': {
    build_info: 'b8681',
    default_generation_settings: { n_ctx: 4_096 },
    total_slots: 4,
  },
  '/health': { status: 'ok' },
  '/v1/models': list('qwen'),
  '/slots': [{ id: 0, is_processing: true }],
  '/metrics': answer(501, '{"error":{"message":"not supported"}}'),
}

export const llamaLoading: Pages = Object.fromEntries(
  Object.keys(llamaPages).map((path) => [
    path,
    answer(503, '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'),
  ]),
)

export const openaiPages: Pages = { '/v1/models': list('gpt') }

export const endpoint = (
  config: Partial<Parameters<typeof endpointConfig.parse>[0] & object> = {},
) => endpointConfig.parse({ url: 'http://node0:8000', ...config })
export const id = endpointId('node0-8000')
