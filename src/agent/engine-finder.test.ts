import { expect, test } from 'vitest'
import { EngineFinder, usualPorts } from '#agent/engine-finder.ts'
import type { PageFetcher, PageOutcome } from '#agent/page-fetcher.ts'
import type { FoundEngine } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'

/** What answers at each port, by path; an error for every other page. */
type Machine = Record<number, { pages: Record<string, unknown>; otherwise?: number } | null>

interface Bench {
  readonly machine: Machine
  readonly told: (readonly FoundEngine[])[]
  /** Pages that were asked for, as `8080 /props`. */
  readonly asked: string[]
  readonly finder: EngineFinder
  /** Lets this time pass, and all that is due in it happen. */
  pass(ms: number): Promise<void>
}

function bench(machine: Machine, own: readonly number[] = []): Bench {
  const asked: string[] = []
  const told: (readonly FoundEngine[])[] = []
  const due: { atMs: number; run: () => void }[] = []
  let nowMs = 0
  const clock: Clock = {
    nowMs: () => nowMs,
    schedule(afterMs, run) {
      const entry = { atMs: nowMs + afterMs, run }
      due.push(entry)
      return () => void due.splice(due.indexOf(entry), 1)
    },
  }
  const fetchPage: PageFetcher = async ({ url, path }): Promise<PageOutcome> => {
    const port = Number(new URL(url).port)
    asked.push(`${port} ${path}`)
    const there = machine[port] ?? null
    if (there === null) return { kind: 'refused', detail: 'nothing listens there' }
    const page = there.pages[path]
    const status = page === undefined ? (there.otherwise ?? 404) : 200
    return { kind: 'answer', answer: { status, headers: {}, body: JSON.stringify(page ?? {}) } }
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  const finder = new EngineFinder({
    ports: Object.keys(machine).map(Number),
    isOwn: (port) => own.includes(port),
    fetchPage,
    clock,
    onChange: (found) => told.push(found),
  })
  return {
    machine,
    told,
    asked,
    finder,
    async pass(ms) {
      await settle()
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = due.filter(({ atMs }) => atMs <= untilMs)
        if (next === undefined) break
        nowMs = next.atMs
        due.splice(due.indexOf(next), 1)
        next.run()
        await settle()
      }
      nowMs = untilMs
    },
  }
}

const ollama = {
  pages: {
    '/api/version': { version: '0.12.3' },
    '/api/tags': { models: [{ name: 'qwen3:8b', details: { family: 'qwen3' } }] },
  },
}

const models = { object: 'list', data: [{ id: 'gemma-3-4b', object: 'model' }] }

test('the usual ports are those of Ollama, llama-server, vLLM, LM Studio and more, each once', () => {
  expect(usualPorts).toEqual(expect.arrayContaining([1_234, 8_000, 8_080, 11_434, 30_000]))
  expect(new Set(usualPorts).size).toBe(usualPorts.length)
})

test('what comes, changes and goes is told, and nothing while all stays the same', async () => {
  const { machine, told, pass } = bench({ 11434: null })
  await pass(60_000)
  expect(told).toEqual([])
  machine[11_434] = ollama
  await pass(120_000)
  expect(told).toEqual([
    [
      {
        port: 11_434,
        engine: 'ollama',
        version: '0.12.3',
        models: ['qwen3:8b'],
        state: 'ready',
        detail: null,
      },
    ],
  ])
  machine[11_434] = null
  await pass(30_000)
  expect(told.at(-1)).toEqual([])
})

test('a port of our own replicas is not even asked', async () => {
  const { asked, told, pass } = bench({ 8080: ollama, 11434: ollama }, [8_080])
  await pass(30_000)
  expect(asked.filter((page) => page.startsWith('8080'))).toEqual([])
  expect(told.at(-1)?.map(({ port }) => port)).toEqual([11_434])
})

test.each([
  { what: 'a web page', port: { pages: {} } },
  { what: 'a service that wants a password everywhere', port: { pages: {}, otherwise: 401 } },
  {
    what: 'a gateway of Motley',
    port: { pages: { '/v1/models': models, '/': { name: 'motley' } } },
  },
])('$what is no engine, and is left in peace for ten minutes', async ({ port }) => {
  const { asked, told, pass } = bench({ 8080: port })
  await pass(0)
  const first = asked.length
  expect(first).toBeGreaterThan(0)
  await pass(9 * 60_000)
  expect({ asked: asked.length, told }).toEqual({ asked: first, told: [] })
  await pass(2 * 60_000)
  expect(asked.length).toBeGreaterThan(first)
})

test('LM Studio is found by its list of models', async () => {
  const { told, pass } = bench({ 1234: { pages: { '/v1/models': models } } })
  await pass(0)
  expect(told.at(-1)).toMatchObject([{ engine: 'openai', models: ['gemma-3-4b'] }])
})

test('another port is looked at when it is asked for, and from then on', async () => {
  const { machine, finder, told, pass } = bench({})
  machine[8_001] = ollama
  expect(await finder.lookAt(8_001)).toMatchObject({ engine: 'ollama', port: 8_001 })
  expect(await finder.lookAt(8_002)).toBeNull()
  machine[8_001] = null
  await pass(30_000)
  expect(told.at(-1)).toEqual([])
})

test('after it is closed it asks and tells nothing', async () => {
  const { finder, told, asked, machine, pass } = bench({ 11434: null })
  await pass(0)
  finder.close()
  machine[11_434] = ollama
  const before = asked.length
  await pass(300_000)
  expect({ told, asked: asked.length }).toEqual({ told: [], asked: before })
})
