/** The watcher on a clock that the tests hold, and endpoints that are tables of pages. */
import { afterEach, describe, expect, test } from 'vitest'
import { type EndpointWatcher, type WatchOptions, watchEndpoints } from '#agent/endpoint-watcher.ts'
import type { PageFetcher, PageOutcome } from '#agent/page-fetcher.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { endpointId } from '#core/ids.ts'
import type { EndpointReport } from '#protocol/endpoint-report.ts'
import type { Clock } from '#std/clock.ts'

type Page = string | object | PageOutcome
type Pages = Readonly<Record<string, Page>>

const answer = (status: number, body: string, headers = {}): PageOutcome => ({
  kind: 'answer',
  answer: { status, headers, body },
})
const refused: PageOutcome = { kind: 'refused', detail: 'the connection was refused' }
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

const atRest = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One endpoint whose pages a test changes as it goes. */
class World {
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

const list = (...ids: string[]): object => ({ object: 'list', data: ids.map((id) => ({ id })) })

const vllmPages: Pages = {
  '/version': { version: '0.11.0' },
  '/health': '',
  '/v1/models': { object: 'list', data: [{ id: 'llama', max_model_len: 8_192 }] },
  '/metrics': 'vllm:num_requests_running 2\nvllm:num_requests_waiting 1\n',
}

const llamaPages: Pages = {
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

const llamaLoading: Pages = Object.fromEntries(
  Object.keys(llamaPages).map((path) => [
    path,
    answer(503, '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'),
  ]),
)

const openaiPages: Pages = { '/v1/models': list('gpt') }

const endpoint = (config: Partial<Parameters<typeof endpointConfig.parse>[0] & object> = {}) =>
  endpointConfig.parse({ url: 'http://node0:8000', ...config })
const id = endpointId('node0-8000')

let world = new World()
afterEach(() => {
  world.watcher?.close()
  expect(world.clock.timers.size).toBe(0)
  world = new World()
})

describe('what it finds', () => {
  test('the first report comes at once and says all there is to know', async () => {
    world.pages = vllmPages
    world.watch(endpoint())
    await world.clock.pass(0)
    expect(world.reports).toEqual([
      {
        endpoint: id,
        atMs: 0,
        check: { status: 'L7OK', verdict: 'ready', code: 200, durationMs: 0, detail: null },
        engine: 'vllm',
        engineVersion: '0.11.0',
        models: [{ servedName: 'llama', contextTokens: 8_192, tasks: null }],
        tasks: expect.arrayContaining(['chat', 'embedding']),
        load: {
          runningRequests: 2,
          waitingRequests: 1,
          kvCacheUsageRatio: null,
          slots: null,
        },
        supportsStreamUsage: true,
      },
    ])
  })

  test('no page is fetched twice in one check', async () => {
    world.pages = openaiPages
    world.watch(endpoint())
    await world.clock.pass(0)
    expect(world.asked.filter((path) => path === '/v1/models')).toHaveLength(1)
    expect(world.last).toMatchObject({ engine: 'openai', models: [{ servedName: 'gpt' }] })
  })

  test('context length and slots that llama-server says of itself reach models and load', async () => {
    world.pages = llamaPages
    world.watch(endpoint())
    await world.clock.pass(0)
    expect(world.last).toMatchObject({
      engine: 'llama-server',
      engineVersion: 'b8681',
      models: [{ servedName: 'qwen', contextTokens: 4_096 }],
      load: { runningRequests: 1, waitingRequests: null, slots: 1 },
    })
    world.pages = { ...llamaPages, '/slots': answer(501, '') }
    await world.clock.pass(1_500)
    expect(world.last.load).toMatchObject({ runningRequests: null, slots: 4 })
  })

  test('a configured engine is believed, and no other is looked for', async () => {
    world.pages = { '/health': '', '/v1/models': list('llama') }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(0)
    expect(world.last).toMatchObject({ engine: 'vllm', engineVersion: null, load: null })
    expect(world.last.models).toHaveLength(1)
    expect(world.asked).not.toContain('/props')
  })

  test.each([[['a']], [{ a: 'b' }]])(
    'models that the user gave, %j, are not asked for',
    async (models) => {
      world.pages = vllmPages
      world.watch(endpoint({ models }))
      await world.clock.pass(40_000)
      expect(world.reports.every((report) => report.models === null)).toBe(true)
      expect(world.asked).not.toContain('/v1/models')
    },
  )
})

test.each<{
  name: string
  pages: World['pages']
  engine?: 'vllm' | 'sglang'
  says: string
  code: number | null
  detail: RegExp
}>([
  {
    name: 'nothing listens',
    pages: 'refused',
    says: 'L4CON refused',
    code: null,
    detail: /refused/,
  },
  {
    name: 'it does not answer',
    pages: 'silent',
    says: 'L7TOUT silent',
    code: null,
    detail: /1000 ms/,
  },
  {
    name: 'the connection is not made in time',
    pages: { '/health': { kind: 'connect-timeout', detail: 'no connection' } },
    engine: 'vllm',
    says: 'L4TOUT silent',
    code: null,
    detail: /no connection/,
  },
  {
    name: 'the answer is not HTTP',
    pages: { '/health': { kind: 'malformed', detail: 'its answer is not HTTP' } },
    engine: 'vllm',
    says: 'L7RSP unhealthy',
    code: null,
    detail: /not HTTP/,
  },
  { name: 'it loads', pages: llamaLoading, says: 'L7STS loading', code: 503, detail: /loading/ },
  {
    name: 'SGLang warms up',
    pages: { '/health': answer(503, '') },
    engine: 'sglang',
    says: 'L7STS loading',
    code: 503,
    detail: /loading/,
  },
  {
    name: 'the engine of vLLM is dead',
    pages: { ...vllmPages, '/health': answer(503, '') },
    says: 'L7STS unhealthy',
    code: 503,
    detail: /^\/health answered 503$/,
  },
  {
    name: 'the key is wrong',
    pages: { '/v1/models': answer(401, '') },
    says: 'L7STS unhealthy',
    code: 401,
    detail: /its API key is missing or wrong$/,
  },
  {
    name: 'it redirects',
    pages: { '/health': answer(302, '') },
    engine: 'vllm',
    says: 'L7STS unhealthy',
    code: 302,
    detail: /redirects are not followed$/,
  },
  {
    name: 'it is no engine at all',
    pages: { '/v1/models': '<html>' },
    says: 'L7STS unhealthy',
    code: 200,
    detail: /but not as OpenAI-compatible does$/,
  },
])('when $name the report is $says', async ({ pages, engine, says, code, detail }) => {
  world.pages = pages
  world.watch(endpoint(engine === undefined ? {} : { engine }))
  await world.clock.pass(1_000)
  const [report] = world.reports
  expect(`${report?.check.status} ${report?.check.verdict}`).toBe(says)
  expect(report?.check.code).toBe(code)
  expect(report?.check.detail).toMatch(detail)
  expect(report?.models).toBeNull()
  expect(report?.load).toBeNull()
})

describe('when it asks', () => {
  test('a ready endpoint is asked once an interval, and a bad one again after half a second', async () => {
    world.pages = vllmPages
    world.watch(endpoint())
    await world.clock.pass(3_100)
    world.pages = 'refused'
    await world.clock.pass(2_000)
    world.pages = vllmPages
    await world.clock.pass(2_100)
    expect(world.story).toEqual([
      '0 L7OK ready vllm',
      '1500 L7OK ready vllm',
      '3000 L7OK ready vllm',
      '4500 L4CON refused vllm',
      '5000 L4CON refused vllm',
      '5500 L7OK ready vllm',
      '7000 L7OK ready vllm',
    ])
  })

  test.each([0, 0.5, 0.999])(
    'silence is known within 4 s, wherever it falls (jitter %d)',
    async (random) => {
      for (let dyingAtMs = 3_000; dyingAtMs < 4_600; dyingAtMs += 100) {
        world = new World()
        world.random = random
        world.pages = vllmPages
        world.watch(endpoint())
        await world.clock.pass(dyingAtMs)
        world.pages = 'silent'
        await world.clock.pass(4_000)
        const bad = world.reports.filter(({ check }) => check.verdict === 'silent')
        expect(bad.length, `dying at ${dyingAtMs} ms`).toBeGreaterThanOrEqual(2)
        world.watcher?.close()
      }
    },
  )

  test('jitter only ever shortens an interval, by a fifth at most', async () => {
    world.pages = vllmPages
    world.random = 1
    world.watch(endpoint({ health: { intervalMs: 1_000 } }))
    await world.clock.pass(1_700)
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 800, 1_600])
  })

  test('checks of one endpoint never overlap, however slow it is', async () => {
    world.pages = vllmPages
    world.delayMs = 900
    const watcher = world.watch(endpoint({ health: { intervalMs: 50 } }))
    for (let step = 0; step < 100; step++) {
      watcher.checkNow(id)
      await world.clock.pass(100)
    }
    expect(world.inFlightMax).toBe(1)
    expect(world.reports.length).toBeGreaterThan(3)
  })

  test('a check takes as long as its health page did', async () => {
    world.pages = vllmPages
    world.delayMs = 40
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(500)
    expect(world.last.check.durationMs).toBe(40)
  })

  test('models are asked for when it becomes ready, every 30 s, and at once while there are none', async () => {
    const modelReads = (): number => world.asked.filter((path) => path === '/v1/models').length
    world.pages = { ...vllmPages, '/v1/models': list() }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(3_000)
    expect(modelReads()).toBe(3)
    expect(world.last.models).toEqual([])
    world.pages = vllmPages
    await world.clock.pass(1_500)
    expect(modelReads()).toBe(4)
    await world.clock.pass(28_500)
    expect(modelReads()).toBe(4)
    expect(world.last.models).toBeNull()
    await world.clock.pass(1_500)
    expect(modelReads()).toBe(5)
    world.pages = 'refused'
    await world.clock.pass(1_500)
    world.pages = vllmPages
    await world.clock.pass(500)
    expect(modelReads()).toBe(6)
  })

  test('a load page that is not there is left alone for a while', async () => {
    world.pages = { ...vllmPages, '/metrics': answer(404, '') }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(29_000)
    expect(world.asked.filter((path) => path === '/metrics')).toHaveLength(1)
    expect(world.reports.every(({ check }) => check.verdict === 'ready')).toBe(true)
    world.pages = vllmPages
    await world.clock.pass(2_000)
    expect(world.last.load?.runningRequests).toBe(2)
  })

  test('a load page that hangs or breaks does not make it unhealthy', async () => {
    world.pages = { ...vllmPages, '/metrics': { kind: 'answer-timeout', detail: 'no answer' } }
    world.watch(endpoint({ engine: 'vllm' }))
    await world.clock.pass(3_000)
    expect(world.reports.map(({ check }) => check.verdict)).toEqual(['ready', 'ready', 'ready'])
    expect(world.last.load).toBeNull()
  })

  test('checkNow asks at once, but not more often than every 100 ms', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(700)
    watcher.checkNow(id)
    watcher.checkNow(endpointId('unknown'))
    await world.clock.pass(0)
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 700])
    for (let step = 0; step < 50; step++) {
      watcher.checkNow(id)
      await world.clock.pass(10)
    }
    expect(world.reports.map(({ atMs }) => atMs)).toEqual([0, 700, 800, 900, 1_000, 1_100, 1_200])
  })
})

describe('another engine on the same port', () => {
  test('is recognised when it comes after a refused connection', async () => {
    world.pages = openaiPages
    world.watch(endpoint())
    await world.clock.pass(1_000)
    world.pages = 'refused'
    await world.clock.pass(1_000)
    world.pages = llamaLoading
    await world.clock.pass(500)
    world.pages = llamaPages
    await world.clock.pass(500)
    expect(world.story).toEqual([
      '0 L7OK ready openai',
      '1500 L4CON refused openai',
      '2000 L4CON refused openai',
      '2500 L7STS loading llama-server',
      '3000 L7OK ready llama-server',
    ])
    expect(world.last).toMatchObject({
      engineVersion: 'b8681',
      models: [{ servedName: 'qwen', contextTokens: 4_096 }],
    })
  })

  test('is recognised within half a minute when it came unseen, and its models are read', async () => {
    world.pages = vllmPages
    world.watch(endpoint())
    await world.clock.pass(1_000)
    world.pages = llamaPages
    await world.clock.pass(32_000)
    expect(world.last.engine).toBe('llama-server')
    const models = world.reports.flatMap((report) => report.models ?? [])
    expect(models.at(-1)?.servedName).toBe('qwen')
  })

  test('may have loaded in the words of another', async () => {
    world.pages = llamaLoading
    world.watch(endpoint())
    await world.clock.pass(100)
    world.pages = {
      '/health': '',
      '/version': { engine: 'motley-embedded', version: '0.1.0' },
      '/v1/models': list('motley-tiny'),
    }
    await world.clock.pass(500)
    expect(world.story).toEqual(['0 L7STS loading llama-server', '500 L7OK ready motley-embedded'])
  })

  test('is found again when the health page is gone', async () => {
    world.pages = vllmPages
    world.watch(endpoint())
    await world.clock.pass(1_000)
    world.pages = openaiPages
    await world.clock.pass(1_000)
    expect(world.story).toEqual([
      '0 L7OK ready vllm',
      '1500 L7STS unhealthy vllm',
      '2000 L7OK ready openai',
    ])
  })
})

describe('what the user says of health', () => {
  test('a path of their own is ready with any 2xx, and loading only if the engine says so', async () => {
    world.pages = { ...llamaPages, '/up?key=s3cret': answer(204, '') }
    world.watch(endpoint({ engine: 'llama-server', health: { path: '/up?key=s3cret' } }))
    await world.clock.pass(0)
    world.pages = { ...llamaPages, '/up?key=s3cret': llamaLoading['/health'] as Page }
    await world.clock.pass(1_500)
    world.pages = { ...llamaPages, '/up?key=s3cret': answer(503, 'no') }
    await world.clock.pass(500)
    expect(world.story).toEqual([
      '0 L7OK ready llama-server',
      '1500 L7STS loading llama-server',
      '2000 L7STS unhealthy llama-server',
    ])
    expect(world.last.check.detail).toBe('/up answered 503')
  })

  test('without checks it is asked until it has said what it is and serves, and never again', async () => {
    world.pages = 'refused'
    const watcher = world.watch(endpoint({ health: { enabled: false } }))
    await world.clock.pass(2_000)
    world.pages = vllmPages
    await world.clock.pass(60_000)
    watcher.checkNow(id)
    await world.clock.pass(60_000)
    expect(world.story).toEqual([
      '0 L4CON refused -',
      '1500 L4CON refused -',
      '3000 L7OK ready vllm',
    ])
    expect(world.last.models).toHaveLength(1)
  })

  test('without checks its models are read although its health page says no', async () => {
    world.pages = { ...vllmPages, '/health': answer(500, '') }
    world.watch(endpoint({ health: { enabled: false } }))
    await world.clock.pass(60_000)
    expect(world.reports).toHaveLength(1)
    expect(world.last.models).toHaveLength(1)
  })
})

describe('a reload', () => {
  test('leaves an endpoint alone whose weight and labels alone have changed', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ weight: 5, labels: { room: 'rack' } })])
    await world.clock.pass(500)
    expect(world.story).toEqual(['0 L7OK ready vllm', '1500 L7OK ready vllm'])
    expect(world.last.models).toBeNull()
  })

  test('begins anew with an endpoint that has another key', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ apiKey: 'k' })])
    await world.clock.pass(0)
    expect(world.last).toMatchObject({ atMs: 1_000, models: [{ servedName: 'llama' }] })
  })

  test('stops what was removed, and what is new starts at once', async () => {
    world.pages = vllmPages
    const watcher = world.watch(endpoint())
    await world.clock.pass(1_000)
    watcher.update([endpoint({ name: 'new' })])
    await world.clock.pass(600)
    expect(world.reports.map((report) => report.endpoint)).toEqual([id, 'new'])
  })

  test('drops the check under way of what was removed, unreported', async () => {
    world.pages = 'silent'
    const watcher = world.watch(endpoint())
    await world.clock.pass(500)
    watcher.update([])
    await world.clock.pass(5_000)
    expect(world.reports).toEqual([])
    expect(world.inFlight).toBe(0)
  })

  test('10,000 of them, and a close in mid-check, leave no timer and no request', async () => {
    world.pages = 'silent'
    const watcher = world.watch(endpoint())
    const two = [endpoint({ name: 'a' }), endpoint({ name: 'b' })]
    for (let cycle = 0; cycle < 10_000; cycle++) {
      watcher.update(cycle % 2 === 0 ? two : [endpoint()])
      if (cycle % 100 === 0) await atRest()
    }
    watcher.close()
    watcher.update(two)
    await atRest()
    expect(world.inFlight).toBe(0)
    expect(world.clock.timers.size).toBe(0)
    expect(world.reports).toEqual([])
  })

  test('10,000 watchers opened and closed leave no timer', async () => {
    world.pages = vllmPages
    for (let cycle = 0; cycle < 10_000; cycle++) {
      const watcher = world.watch(endpoint())
      if (cycle % 1_000 === 0) await world.clock.pass(10)
      watcher.close()
    }
    await atRest()
    expect(world.clock.timers.size).toBe(0)
  })
})

test('keys and passwords are in no report', async () => {
  for (const pages of [
    'refused',
    'silent',
    vllmPages,
    { '/v1/models': answer(401, 's3cret') },
  ] as const) {
    world.pages = pages
    world.watch(endpoint({ url: 'http://user:s3cret@node0:8000', apiKey: 's3cret' }))
    await world.clock.pass(2_000)
    world.watcher?.close()
  }
  expect(world.reports.length).toBeGreaterThan(4)
  expect(JSON.stringify(world.reports)).not.toContain('s3cret')
})
