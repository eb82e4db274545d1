/**
 * What every engine that Motley sends requests to must do, told by asking: the emulated ones, and
 * the real one as an agent starts it, through the agent's port.
 */
import { type Dispatcher, Agent as HttpAgent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emulatedEngines } from '#emulator/emulated-engine.ts'
import { startEmulator } from '#emulator/emulator.ts'
import type { EngineAnswer } from '#engines/engine.ts'
import { identifyEngine } from '#engines/engine-identification.ts'
import { engines } from '#engines/index.ts'
import { peerConnector } from '#std/peer-connector.ts'
import { controller, type Later, node, replicaWanted } from './harness/fleet-nodes.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

interface Subject {
  readonly url: string
  readonly model: string
  readonly dispatcher: Dispatcher
  close(): Promise<void>
}

const plain = new HttpAgent()

const subjects: Record<string, () => Promise<Subject>> = {
  ...Object.fromEntries(
    emulatedEngines.map((engine) => [
      `${engine}, emulated`,
      async () => {
        const emulator = await startEmulator({ engine, speed: 0, models: ['tiny'] })
        return {
          url: emulator.url,
          model: 'tiny',
          dispatcher: plain,
          close: () => emulator.close(),
        }
      },
    ]),
  ),
  'the embedded engine, under an agent': async () => {
    const cleanups: (() => Promise<unknown> | unknown)[] = []
    const later: Later = (cleanup) => cleanups.push(cleanup)
    const fleet = await controller(later)
    await node(fleet, 'one', { later })
    const source = `file:${packageFile('models/motley-tiny.gguf')}`
    fleet.startReplica('one', replicaWanted(source, 'tiny'))
    const state = () => fleet.replicas()[0]?.reported?.state ?? null
    await untilTrue('the replica is ready', () => state() === 'ready', { seen: state })
    const [endpoint] = fleet.endpoints()
    if (endpoint === undefined) throw new Error('a ready replica is an endpoint')
    const peer = { own: fleet.certificate, fingerprint: endpoint.fingerprint }
    const close = async () => {
      for (const cleanup of cleanups.toReversed()) await cleanup()
    }
    const dispatcher = new HttpAgent({ connect: peerConnector(peer, 5_000) })
    return { url: endpoint.url, model: 'tiny', dispatcher, close }
  },
}

describe.each(Object.keys(subjects))('%s', (name) => {
  let subject: Subject
  beforeAll(async () => {
    subject = await (subjects[name] as () => Promise<Subject>)()
  })
  afterAll(() => subject.close())

  const ask = async (
    path: string,
    body?: unknown,
  ): Promise<EngineAnswer & { readonly json: () => Record<string, unknown> }> => {
    const { origin, pathname } = new URL(subject.url)
    const answer = await subject.dispatcher.request({
      origin,
      path: pathname.replace(/\/$/, '') + path,
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.body.text()
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: text,
      json: () => JSON.parse(text) as Record<string, unknown>,
    }
  }
  const messages = [{ role: 'user', content: 'What is Motley?' }]
  const chat = (more: object = {}) =>
    ask('/v1/chat/completions', { model: subject.model, messages, max_tokens: 8, ...more })
  const dataOf = (body: string) =>
    body
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => line.slice('data: '.length))

  test('is recognised, is ready, and lists its model', async () => {
    const found = await identifyEngine(engines, (path) => ask(path))
    const engine = found?.engine
    expect(engine?.health.read(await ask(engine.health.path))).toBe('ready')
    const models = engine?.models.read(await ask(engine.models.path)) ?? []
    expect(models.map(({ servedName }) => servedName)).toContain(subject.model)
  })

  test('answers a chat whole, and counts its tokens', async () => {
    const answer = await chat()
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: expect.any(String) } }],
      usage: { prompt_tokens: expect.any(Number), completion_tokens: 8 },
    })
  })

  test('streams a chat in events, says why it ended, and ends once', async () => {
    const answer = await chat({ stream: true, stream_options: { include_usage: true } })
    expect(String(answer.headers['content-type'])).toMatch(/^text\/event-stream/)
    const events = dataOf(answer.body)
    expect(events.filter((event) => event === '[DONE]')).toHaveLength(1)
    expect(events.at(-1)).toBe('[DONE]')
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event))
    const reasons = chunks.flatMap(({ choices }) => choices ?? []).map((one) => one.finish_reason)
    expect(reasons.filter(Boolean)).toEqual(['length'])
    expect(chunks.some(({ usage }) => usage?.completion_tokens === 8)).toBe(true)
  })

  test('completes a text', async () => {
    const answer = await ask('/v1/completions', {
      model: subject.model,
      prompt: 'Motley is',
      max_tokens: 4,
    })
    expect(answer.status).toBe(200)
    expect(answer.json()).toMatchObject({ choices: [{ text: expect.any(String) }] })
  })

  test('refuses what is no JSON, as an error', async () => {
    const answer = await ask('/v1/chat/completions', '{"model":')
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect(answer.body.length).toBeGreaterThan(0)
  })

  test('answers several at a time', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map((seed) => chat({ seed })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  })
})
