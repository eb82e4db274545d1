/** What is found out about endpoints, and which engine they are; see test-endpoint.ts. */
import { afterEach, describe, expect, test } from 'vitest'
import {
  answer,
  endpoint,
  id,
  list,
  llamaLoading,
  llamaPages,
  openaiPages,
  type Page,
  vllmPages,
  World,
} from '#agent/test-endpoint.ts'

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
          kvTokens: null,
        },
        supportsStreamUsage: true,
        continuation: expect.objectContaining({ kind: 'assistant-prefill' }),
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

  test.each([
    { models: ['a'], served: 'a' },
    { models: { a: 'b' }, served: 'b' },
  ])(
    'models that the user gave, $models, keep their names, and the engine tells their context',
    async ({ models, served }) => {
      world.pages = vllmPages
      world.watch(endpoint({ models }))
      await world.clock.pass(0)
      expect(world.last.models).toEqual([{ servedName: served, contextTokens: 8_192, tasks: null }])
    },
  )

  test('llama-server says its context of itself, and is not asked for models that the user gave', async () => {
    world.pages = llamaPages
    world.watch(endpoint({ models: ['mine'] }))
    await world.clock.pass(0)
    expect(world.last.models).toEqual([{ servedName: 'mine', contextTokens: 4_096, tasks: null }])
    expect(world.asked).not.toContain('/v1/models')
  })

  test('models that the user gave stay as they are where nobody tells of a context', async () => {
    world.pages = openaiPages
    world.watch(endpoint({ models: ['a'] }))
    await world.clock.pass(0)
    expect(world.last.models).toBeNull()
  })
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
    detail: /it wants a key, set apiKey$/,
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

test.each([
  {
    why: 'no key is given',
    config: {},
    detail: '/v1/models answered 401: it wants a key, set apiKey',
  },
  {
    why: 'the key is wrong',
    config: { apiKey: 'sk-1' },
    detail: '/v1/models answered 401: it refuses its apiKey',
  },
])(
  'an engine that is well and shows its models to nobody is not ready: $why',
  async ({ config, detail }) => {
    world.pages = { ...vllmPages, '/v1/models': answer(401, '{"error":"Unauthorized"}') }
    world.watch(endpoint(config))
    await world.clock.pass(0)
    expect(world.last.check).toMatchObject({
      status: 'L7STS',
      verdict: 'unhealthy',
      code: 401,
      detail,
    })
    expect(world.last).toMatchObject({ engine: 'vllm', models: null })
    world.pages = vllmPages
    await world.clock.pass(1_500)
    expect(world.last.check.verdict).toBe('ready')
    world.pages = { ...vllmPages, '/v1/models': answer(401, '') }
    await world.clock.pass(60_000)
    expect(world.last.check.verdict).toBe('ready')
  },
)

test('a list of models that is refused says nothing where the user gave them', async () => {
  world.pages = { ...vllmPages, '/v1/models': answer(403, '') }
  world.watch(endpoint({ models: ['a'] }))
  await world.clock.pass(0)
  expect(world.last.check.verdict).toBe('ready')
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
