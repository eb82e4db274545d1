/** The emulator against the recordings of fixtures/engines: the same shapes, if not the same words. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { emulatedEngines } from '#emulator/emulated-engine.ts'
import { startEmulator } from '#emulator/emulator.ts'

const fixtures = new URL('../../fixtures/engines/', import.meta.url)

const exchange = z.object({
  request: z.object({ path: z.string(), body: z.unknown() }),
  options: z.object({ contextTokens: z.number(), loadMs: z.number() }).partial().optional(),
  faults: z.array(z.string()).optional(),
  status: z.number(),
  contentType: z.string(),
  body: z.string(),
})

const page = z.object({ status: z.number(), body: z.string() })

/** Fields whose value is a name that readers act on, and not an example. */
const names = new Set([
  'object',
  'type',
  'role',
  'finish_reason',
  'done',
  'done_reason',
  'owned_by',
])

/** A value as its keys and types, with the names in it. */
function shapeOf(value: unknown, key = ''): unknown {
  if (names.has(key)) return value
  if (Array.isArray(value)) return value.map((one) => shapeOf(one))
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([name, one]) => [name, shapeOf(one, name)] as const)
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  return value === null ? null : typeof value
}

/** The shapes of a body in order: of each event, each line, or of the one document. */
function shapesOf(contentType: string, body: string): unknown[] {
  if (contentType.startsWith('text/event-stream')) {
    return body
      .split('\n\n')
      .filter((frame) => frame !== '')
      .map((frame) => frame.slice('data: '.length))
      .map((data) => (data === '[DONE]' ? data : shapeOf(JSON.parse(data))))
  }
  if (contentType === 'application/x-ndjson') {
    return body
      .trimEnd()
      .split('\n')
      .map((line) => shapeOf(JSON.parse(line)))
  }
  return body === '' ? [] : [shapeOf(JSON.parse(body))]
}

describe.each(emulatedEngines)('%s', (engine) => {
  const wire = new URL(`${engine}/wire/`, fixtures)
  const files = readdirSync(wire).filter((name) => name.endsWith('.json'))

  test.each(files)('answers as recorded in %s', async (file) => {
    const recorded = exchange.parse(JSON.parse(readFileSync(new URL(file, wire), 'utf8')))
    const { contextTokens, loadMs } = recorded.options ?? {}
    const emulator = await startEmulator({
      engine,
      speed: 0,
      faults: recorded.faults ?? [],
      ...(contextTokens === undefined ? {} : { contextTokens }),
      ...(loadMs === undefined ? {} : { loadMs }),
    })
    const response = await fetch(emulator.url + recorded.request.path, {
      method: 'POST',
      body: JSON.stringify(recorded.request.body),
    })
    const body = await response.text()
    await emulator.close()
    expect(response.status).toBe(recorded.status)
    expect(response.headers.get('content-type')).toBe(recorded.contentType)
    expect(shapesOf(recorded.contentType, body)).toEqual(
      shapesOf(recorded.contentType, recorded.body),
    )
  })

  test('has the metrics that its recorded load pages have', async () => {
    const emulator = await startEmulator({ engine, speed: 0 })
    const response = await fetch(`${emulator.url}/metrics`)
    const ours = await response.text()
    await emulator.close()
    for (const file of ['load.json', 'load-2.json']) {
      const at = new URL(`${engine}/${file}`, fixtures)
      if (!existsSync(at)) continue
      const { body } = page.parse(JSON.parse(readFileSync(at, 'utf8')))
      const recorded = body.matchAll(/^# TYPE ((?:vllm|sglang|llamacpp):\S+) (\S+)$/gm)
      for (const [line] of recorded) expect(ours).toContain(`${line}\n`)
    }
  })

  test('lists models with the keys of the recorded list', async () => {
    const list = z.object({ data: z.array(z.record(z.string(), z.unknown())) })
    const { body } = page.parse(
      JSON.parse(readFileSync(new URL(`${engine}/models.json`, fixtures), 'utf8')),
    )
    const recorded = list.safeParse(JSON.parse(body))
    // Ollama is asked by its own API, whose list dialects.test.ts looks at.
    if (!recorded.success) return
    const emulator = await startEmulator({ engine, speed: 0 })
    const ours = list.parse(await (await fetch(`${emulator.url}/v1/models`)).json())
    await emulator.close()
    expect(Object.keys(ours.data[0] ?? {})).toEqual(Object.keys(recorded.data.data[0] ?? {}))
  })
})
