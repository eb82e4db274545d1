/** Answers that break off, go on elsewhere and are left by their clients leave nothing behind. */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import type { Emulator } from '#emulator/emulator.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { afterTest } from './harness/after-test.ts'
import {
  chat,
  contentOf,
  endpointsOf,
  engine,
  fleet,
  question,
  readEvents,
} from './harness/fleet.ts'
import { heldHeapBytes } from './harness/held-memory.ts'
import { untilTrue } from './harness/until-true.ts'

const requests = Number(process.env['SOAK_REQUESTS'] ?? 2_400)
const seed = Number(process.env['SOAK_SEED'] ?? 20261128)

const faults = [
  ['cut:3@p=0.4'],
  ['reset-at:7@p=0.4'],
  ['stall:5:60s@p=0.2', 'cut:0@p=0.1'],
  ['garbage:9@p=0.3', 'reject-prefill@p=0.3'],
  ['mid-error:4@p=0.3', 'status:500@p=0.1'],
  [],
]

const asks = { stream: true, max_tokens: 24, temperature: 0 }

/** What came of one request, as its client saw it. */
interface Heard {
  readonly text: string
  /** It left by its own will. */
  readonly left: boolean
  /** It read slowly: of what it had not read when the connection broke, it heard nothing. */
  readonly slow: boolean
}

async function unreliableFleet(strategy: string, chance: () => number) {
  const engines: Record<string, Emulator> = {}
  for (const [index, list] of faults.entries()) {
    engines[`e${index}`] = await engine({ faults: list, slots: 8 })
  }
  const endpoints = endpointsOf(engines, {
    ...{ engine: 'vllm', models: [question.model], health: { enabled: false }, maxInFlight: 12 },
  })
  const timeouts = { firstByteMs: 500, betweenChunksMs: 150 }
  const made = await fleet(
    {
      endpoints,
      gateway: { pingMs: 20, retries: { maxAttempts: 4 }, timeouts },
      routing: { strategy },
    },
    { chance },
  )
  const { events } = await readEvents(await chat((engines['e5'] as Emulator).url, asks))
  return { ...made, engines, expected: contentOf(events) }
}

function ask(url: string, agent: Agent, chance: () => number): Promise<Heard> {
  return new Promise((resolve) => {
    const kind = chance()
    const leavesAt = chance() * 24
    const slow = kind > 0.9
    let text = ''
    let left = false
    const leave = (): void => {
      left = true
      request.destroy()
    }
    const request = httpRequest(
      `${url}/v1/chat/completions`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      (response: IncomingMessage) => {
        response.setEncoding('utf8')
        response.on('data', (piece: string) => {
          text += piece
          if (kind < 0.2 && text.split('"content"').length > leavesAt) leave()
          if (!slow) return
          response.pause()
          setTimeout(() => response.resume(), 3)
        })
        response.on('error', () => {})
        response.on('close', () => resolve({ text, left, slow }))
      },
    )
    request.on('error', () => resolve({ text, left: true, slow }))
    request.end(JSON.stringify({ ...question, ...asks }))
    if (kind < 0.1) setTimeout(leave, kind * 400)
  })
}

async function expectHonest({ text, slow }: Heard, expected: string): Promise<void> {
  const { events } = await readEvents(new Response(text))
  if (events.at(-1) === '[DONE]') {
    expect(contentOf(events)).toBe(expected)
    expect(text.split('[DONE]')).toHaveLength(2)
    expect(text.split('"finish_reason":"')).toHaveLength(2)
    const ids = events.slice(0, -1).map((event) => JSON.parse(event).id)
    expect(new Set(ids).size).toBe(1)
    return
  }
  if (slow) return
  const { error } = JSON.parse(events.at(-1) ?? text)
  const said = contentOf(events.slice(0, -1))
  expect(expected.startsWith(said)).toBe(true)
  // Where nothing but the error went out, not even an event without a word, it says what happened everywhere.
  if (events.length <= 1) expect(error.code).toMatch(/^engine_|^no_ready/)
  else expect(error.code).toBe('stream_interrupted')
}

test.each(['least-connections', 'fastest'])(
  `of ${requests} answers that break off, go on and are left, by %s, each is one whole answer or an honest part (repeat: SOAK_SEED=${seed} SOAK_REQUESTS=${requests} npx vitest run tests/continuation-soak.test.ts)`,
  async (strategy) => {
    const chance = seededChance(seed)
    const { url, gateway, engines, expected } = await unreliableFleet(strategy, chance)
    const agent = new Agent({ keepAlive: true, maxSockets: 64 })
    afterTest(() => agent.destroy())
    let left = 0
    const client = async (): Promise<void> => {
      while (left-- > 0) {
        const heard = await ask(url, agent, chance)
        if (!heard.left) await expectHonest(heard, expected)
      }
    }
    const round = async (count: number): Promise<number> => {
      left = count
      await Promise.all(Array.from({ length: 64 }, client))
      await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0, {
        seen: () => gateway.vitals,
      })
      return heldHeapBytes()
    }
    // The first of them fill the log of decisions, which keeps the last thousand.
    const early = await round(Math.floor(requests / 2))
    const late = await round(Math.ceil(requests / 2))
    agent.destroy()
    await untilTrue('no connection is open', () => gateway.vitals.openConnections === 0, {
      seen: () => gateway.vitals,
    })
    expect(gateway.vitals.queued).toBe(0)
    expect(Object.values(gateway.vitals.inFlightByEndpoint)).toEqual(faults.map(() => 0))
    for (const [name, emulator] of Object.entries(engines)) {
      await untilTrue(`${name} is free`, () => emulator.stats().inFlight === 0, {
        seen: () => emulator.stats(),
      })
    }
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(Number(/^motley_answers_continued_total\S* (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(
      requests / 20,
    )
    // Twice the requests hold no more memory; what was kept of an answer is kilobytes.
    expect(late - early).toBeLessThan((requests / 2) * 2_000)
  },
  120_000,
)
