/** One suite for all adapters, from the answers recorded under fixtures/engines/. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EngineId } from '#core/engine-id.ts'
import type { Engine, EngineAnswer } from '#engines/engine.ts'
import { identifyEngine } from '#engines/engine-identification.ts'
import { engines } from '#engines/index.ts'

const fixtures = new URL('../../fixtures/engines/', import.meta.url)

const recording = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})

function recorded(engine: EngineId, page: string): EngineAnswer | null {
  const file = new URL(`${engine}/${page}.json`, fixtures)
  return existsSync(file) ? recording.parse(JSON.parse(readFileSync(file, 'utf8'))) : null
}

function mustHave(engine: EngineId, page: string): EngineAnswer {
  const answer = recorded(engine, page)
  if (answer === null) throw new Error(`fixtures/engines/${engine}/${page}.json is missing`)
  return answer
}

/** Every recording here that is an HTTP answer; the folders may hold other files too. */
const everyRecording = engines.flatMap(({ id }) =>
  readdirSync(new URL(`${id}/`, fixtures))
    .filter((name) => name.endsWith('.json'))
    .map((name) =>
      recording.safeParse(JSON.parse(readFileSync(new URL(`${id}/${name}`, fixtures), 'utf8'))),
    )
    .flatMap((read) => (read.success ? [read.data] : [])),
)

const notFound: EngineAnswer = { status: 404, headers: {}, body: '{"detail":"Not Found"}' }

/** An engine that is ready, made of its recordings. */
function pagesOf(engine: Engine): (path: string) => Promise<EngineAnswer> {
  const pages = new Map<string, EngineAnswer>()
  const put = (path: string, page: string): void => {
    const answer = recorded(engine.id, page)
    if (answer !== null) pages.set(path, answer)
  }
  engine.loadPages.forEach(({ path }, index) => {
    put(path, index === 0 ? 'load' : `load-${index + 1}`)
  })
  put(engine.models.path, 'models')
  put(engine.health.path, 'health-ready')
  put(engine.identify.path, 'identify')
  return async (path) => pages.get(path) ?? notFound
}

const isCount = (value: number | null): boolean =>
  value === null || (Number.isInteger(value) && value >= 0 && value <= 1e9)

function expectSane(load: EndpointLoad): void {
  expect(load.runningRequests).toSatisfy(isCount)
  expect(load.waitingRequests).toSatisfy(isCount)
  expect(load.slots).toSatisfy(isCount)
  expect(load.kvTokens).toSatisfy(isCount)
  expect(load.kvCacheUsageRatio).toSatisfy(
    (ratio: number | null) => ratio === null || (ratio >= 0 && ratio <= 1),
  )
}

function readEverything(engine: Engine, answer: EngineAnswer): void {
  const identity = engine.identify.read(answer)
  expect(identity?.slots ?? null).toSatisfy(isCount)
  expect(identity?.contextTokens ?? null).toSatisfy(isCount)
  engine.identify.confirm?.read(answer)
  expect(['ready', 'loading', 'unhealthy']).toContain(engine.health.read(answer))
  for (const model of engine.models.read(answer) ?? []) {
    expect(model.servedName).not.toBe('')
    expect(model.contextTokens).toSatisfy(isCount)
  }
  for (const page of engine.loadPages) {
    const load = page.read(answer)
    if (load !== null) expectSane(load)
  }
}

describe.each(engines)('$id', (engine) => {
  test('is the one that an endpoint with its pages is taken for', async () => {
    const found = await identifyEngine(engines, pagesOf(engine))
    expect(found?.engine.id).toBe(engine.id)
  })

  test('does not know itself in the pages of another engine', async () => {
    const others = engines.filter(({ id }) => id !== engine.id)
    for (const other of engine.id === 'openai' ? [] : others) {
      expect(await identifyEngine([engine], pagesOf(other)), other.id).toBeNull()
    }
  })

  test('reads its health pages', () => {
    expect(engine.health.read(mustHave(engine.id, 'health-ready'))).toBe('ready')
    for (const verdict of ['loading', 'unhealthy'] as const) {
      const answer = recorded(engine.id, `health-${verdict}`)
      if (answer !== null) expect(engine.health.read(answer)).toBe(verdict)
    }
    for (const status of [301, 401, 404, 500, 502]) {
      expect(engine.health.read({ status, headers: {}, body: '' })).toBe('unhealthy')
    }
  })

  test('reads its models', () => {
    const models = engine.models.read(mustHave(engine.id, 'models'))
    const expected = modelsOf[engine.id]
    if (expected === null) expect(models).toBeNull()
    else expect(models).toMatchObject(expected)
    expect(engine.models.read(notFound)).toBeNull()
  })

  test('reads its load', () => {
    const loads = engine.loadPages.map((page, index) =>
      page.read(mustHave(engine.id, index === 0 ? 'load' : `load-${index + 1}`)),
    )
    expect(loads).toEqual(loadsOf[engine.id])
    for (const page of engine.loadPages) expect(page.read(notFound)).toBeNull()
  })

  test('no cut of any recording makes a reader throw or give a figure that cannot be', () => {
    for (const answer of everyRecording) {
      for (let length = 0; length < answer.body.length; length += 1 + (length >> 4)) {
        readEverything(engine, { ...answer, body: answer.body.slice(0, length) })
      }
    }
  })

  test('no change to any recording makes a reader throw or give a figure that cannot be', () => {
    fc.assert(
      fc.property(damaged, (answer) => readEverything(engine, answer)),
      { numRuns: 400 },
    )
  })
})

const name = 'meta-llama/Llama-3.1-8B-Instruct'
const modelsOf: Record<EngineId, readonly object[] | null> = {
  vllm: [
    { servedName: name, contextTokens: 32_768, tasks: null },
    { servedName: 'sql-lora', contextTokens: null, tasks: null },
  ],
  sglang: [{ servedName: name, contextTokens: 131_072, tasks: null }],
  'llama-server': [{ servedName: 'llama-3.1-8b', contextTokens: null, tasks: null }],
  ollama: [
    { servedName: 'llama3.1:8b', contextTokens: null, tasks: null },
    { servedName: 'nomic-embed-text', contextTokens: null, tasks: ['embedding', 'ollama-embed'] },
    { servedName: 'bge-m3', contextTokens: null, tasks: ['embedding', 'ollama-embed'] },
  ],
  'motley-embedded': [{ servedName: 'motley-tiny', contextTokens: 2_048 }],
  'tensorrt-llm': [{ servedName: 'Llama-3.1-8B-Instruct', contextTokens: null, tasks: null }],
  tei: [{ servedName: 'BAAI/bge-m3', contextTokens: 8_192, tasks: ['embedding'] }],
  infinity: [
    { servedName: 'bge-m3', contextTokens: null, tasks: ['embedding'] },
    { servedName: 'bge-reranker', contextTokens: null, tasks: ['rerank'] },
  ],
  'whisper-cpp': null,
  'mlx-lm': [
    { servedName: 'mlx-community/Llama-3.2-3B-Instruct-4bit' },
    { servedName: '/Users/ada/models/llama-3.1-8b-4bit' },
  ],
  openvino: [{ servedName: 'qwen3-8b', contextTokens: null, tasks: null }],
  kokoro: [
    { servedName: 'tts-1', tasks: ['speech'] },
    { servedName: 'tts-1-hd', tasks: ['speech'] },
    { servedName: 'kokoro', tasks: ['speech'] },
  ],
  xtts: [
    { servedName: 'tts-1-hd', tasks: ['speech'] },
    { servedName: 'tts-1', tasks: ['speech'] },
  ],
  speaches: [
    { servedName: 'Systran/faster-whisper-small', tasks: ['transcription', 'translation'] },
    { servedName: 'speaches-ai/Kokoro-82M-v1.0-ONNX', tasks: ['speech'] },
  ],
  openai: [{ servedName: 'gpt-4o-mini' }, { servedName: 'text-embedding-3-small' }],
}

const load = (
  runningRequests: number | null,
  waitingRequests: number | null,
  kvCacheUsageRatio: number | null,
  slots: number | null,
  kvTokens: number | null = null,
): EndpointLoad => ({ runningRequests, waitingRequests, kvCacheUsageRatio, slots, kvTokens })

const loadsOf: Record<EngineId, readonly EndpointLoad[]> = {
  vllm: [load(7, 3, 0.4565217391304348, null, 441_600)],
  sglang: [load(5, 2, 0.19, null, 471_258), load(5, 2, null, null)],
  'llama-server': [load(2, null, null, 4, 32_768), load(2, 1, null, null)],
  ollama: [],
  'motley-embedded': [load(2, 1, 0.03125, 2, 2_048)],
  'tensorrt-llm': [load(3, null, 0.25, null)],
  tei: [load(null, 7, null, null)],
  infinity: [load(null, 5, null, null)],
  'whisper-cpp': [],
  'mlx-lm': [],
  openvino: [load(3, null, null, null)],
  kokoro: [],
  xtts: [],
  speaches: [],
  openai: [],
}

/** What an engine, a proxy or a broken disk may make of a page: numbers, braces, words change. */
const damage = fc.oneof(
  fc.constantFrom('null', '-1', '1e999', '{}', '[]', '""', '\\', '"', '}', ']', 'NaN', '\u0000'),
  fc.string({ maxLength: 8 }),
)
const damaged = fc
  .record({
    answer: fc.constantFrom(...everyRecording),
    status: fc.option(fc.constantFrom(200, 204, 302, 401, 404, 500, 503)),
    changes: fc.array(
      fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(12), put: damage }),
      { maxLength: 4 },
    ),
    numbersTo: fc.option(fc.constantFrom('-1', '1e999', 'null', '9007199254740993', '"7"', '0.5')),
  })
  .map(({ answer, status, changes, numbersTo }): EngineAnswer => {
    let { body } = answer
    if (numbersTo !== null) body = body.replace(/\b\d+(\.\d+)?\b/g, numbersTo)
    for (const { at, cut, put } of changes) {
      const index = Math.floor(at * body.length)
      body = body.slice(0, index) + put + body.slice(index + cut)
    }
    return { ...answer, status: status ?? answer.status, body }
  })

describe('single engines', () => {
  test('vLLM before 0.10 has another name for its KV cache', () => {
    const page = engineOf('vllm').loadPages[0]?.read(mustHave('vllm', 'load-old-names'))
    expect(page?.kvCacheUsageRatio).toBeCloseTo(0.4565)
  })

  test('a version page without the metrics of vLLM belongs to something else', async () => {
    const pages = async (path: string): Promise<EngineAnswer> =>
      path === '/version' ? mustHave('vllm', 'identify') : notFound
    expect(await identifyEngine(engines, pages)).toBeNull()
  })

  test('llama-server says its version, context and slots once it is loaded', () => {
    const { identify } = engineOf('llama-server')
    expect(identify.read(mustHave('llama-server', 'identify'))).toEqual({
      version: 'b8681-5e1c2f0a',
      contextTokens: 8_192,
      slots: 4,
      kvTokens: 32_768,
    })
    expect(identify.read(mustHave('llama-server', 'health-loading'))).toEqual({
      version: null,
      contextTokens: null,
      slots: null,
    })
  })

  test('slots without number, as only something broken has, are no room to reckon with', () => {
    const page = { default_generation_settings: { n_ctx: 8_192 }, total_slots: 1_000_000_000 }
    const answer = { status: 200, headers: {}, body: JSON.stringify(page) }
    expect(engineOf('llama-server').identify.read(answer)).toMatchObject({ kvTokens: null })
  })

  test('llama-server is known by its header when its pages want a key', () => {
    const answer = { status: 401, headers: { server: 'llama.cpp' }, body: '' }
    expect(engineOf('llama-server').identify.read(answer)).not.toBeNull()
  })

  test('Motley embedded that could not load its model is unhealthy, not loading', () => {
    const body = '{"error":{"message":"no such file","type":"unavailable_error","code":503}}'
    const answer = { status: 503, headers: {}, body }
    expect(engineOf('motley-embedded').health.read(answer)).toBe('unhealthy')
  })

  test('ranks of one engine are counted together, and their caches averaged', () => {
    const body = [
      'vllm:num_requests_running{engine="0"} 2.0',
      'vllm:num_requests_running{engine="1"} 4.0',
      'vllm:num_requests_waiting{engine="0"} 0.0',
      'vllm:num_requests_waiting{engine="1"} 3.0',
      'vllm:kv_cache_usage_perc{engine="0"} 0.2',
      'vllm:kv_cache_usage_perc{engine="1"} 0.6',
      'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="1000"} 1.0',
      'vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="1000"} 1.0',
      '',
    ].join('\n')
    expect(engineOf('vllm').loadPages[0]?.read({ status: 200, headers: {}, body })).toEqual(
      load(6, 3, 0.4, null, 32_000),
    )
  })

  test('vLLM tells the size of its KV cache in tokens, in blocks, or not yet', () => {
    const kvTokens = (labels: string) =>
      engineOf('vllm').loadPages[0]?.read({
        status: 200,
        headers: {},
        body: `vllm:cache_config_info{${labels}} 1.0\n`,
      })?.kvTokens
    expect(kvTokens('block_size="16",num_gpu_blocks="573",x="a\\"}b"')).toBe(9_168)
    expect(kvTokens('block_size="16",kv_cache_size_tokens="9000",num_gpu_blocks="573"')).toBe(9_000)
    expect(kvTokens('block_size="16",num_gpu_blocks="None"')).toBeNull()
    expect(kvTokens('enable_prefix_caching="True"')).toBeNull()
  })

  test('TEI with a reranker serves nothing that our clients send', () => {
    const models = engineOf('tei').models.read(mustHave('tei', 'models-reranker'))
    expect(models).toMatchObject([{ servedName: 'BAAI/bge-reranker-v2-m3', tasks: [] }])
  })

  test('TensorRT-LLM that did nothing since the last look says nothing', () => {
    const page = engineOf('tensorrt-llm').loadPages[0]
    expect(page?.read({ status: 200, headers: {}, body: '[]' })).toEqual(
      load(null, null, null, null),
    )
  })

  test('SGLang gives its load in the newer shape too', () => {
    const body =
      '{"loads":[{"num_running_reqs":1,"num_waiting_reqs":4},{"num_running_reqs":2,"num_waiting_reqs":0}]}'
    expect(engineOf('sglang').loadPages[1]?.read({ status: 200, headers: {}, body })).toEqual(
      load(3, 4, null, null),
    )
  })
})

function engineOf(id: EngineId): Engine {
  return engines.find((engine) => engine.id === id) as Engine
}
