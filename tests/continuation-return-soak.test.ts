/** One machine that dies, rests, is reconfigured and returns at random leaves nothing behind. */
import { expect, test } from 'vitest'
import { seededChance } from '#std/seeded-chance.ts'
import { chat, contentOf, endpointsOf, engine, fleet, readEvents } from './harness/fleet.ts'
import { untilTrue } from './harness/until-true.ts'

const requests = Number(process.env['SOAK_REQUESTS'] ?? 240)
const seed = Number(process.env['SOAK_SEED'] ?? 20261128)

/** While it is well, it breaks off now and then. */
const well = ['cut:3@p=0.2', 'reset-at:7@p=0.2', 'stall:5:60s@p=0.1', 'cut:0@p=0.05']
const ills = [['refuse'], ['status:503'], ['status:429'], ['status:500'], ['hang']]

const asks = { stream: true, temperature: 0 }

const passes = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test.each(['least-connections', 'fastest'])(
  `of ${requests} answers of a machine that comes and goes, by %s, each is whole or an honest part (repeat: SOAK_SEED=${seed} SOAK_REQUESTS=${requests} npx vitest run tests/continuation-return-soak.test.ts)`,
  async (strategy) => {
    const chance = seededChance(seed)
    const only = await engine({ faults: well, slots: 16 })
    const expected = contentOf((await readEvents(await chat((await engine()).url, asks))).events)
    const endpoints = endpointsOf({ only }, { maxInFlight: 16 })
    const config = {
      endpoints,
      gateway: {
        pingMs: 20,
        retries: { returnMs: 2_000, maxAttempts: 8 },
        timeouts: { firstByteMs: 300, betweenChunksMs: 100, totalMs: 6_000 },
        queue: { maxRequests: 20 },
      },
      routing: { strategy },
    }
    const { gateway, url, reload, log } = await fleet(config, { chance })
    let left = requests
    let isOver = false
    const ails = async (): Promise<void> => {
      while (!isOver) {
        await passes(chance() * 200)
        const kind = chance()
        if (kind < 0.6) only.setFaults(ills[Math.floor(chance() * ills.length)] ?? [])
        else if (kind < 0.8) {
          reload({ ...config, endpoints: endpoints.map((entry) => ({ ...entry, weight: 0 })) })
        } else reload({ ...config, endpoints: [] })
        await passes(chance() * 150)
        only.setFaults(well)
        reload(config)
      }
    }
    const ask = async (): Promise<void> => {
      const leaving = new AbortController()
      const leaves = chance() < 0.2 ? setTimeout(() => leaving.abort(), chance() * 300) : null
      try {
        const response = await chat(url, asks, { signal: leaving.signal })
        const { events, text } = await readEvents(response)
        if (leaving.signal.aborted) return
        if (events.at(-1) === '[DONE]') {
          expect(contentOf(events)).toBe(expected)
          return
        }
        const { error } = JSON.parse(events.at(-1) ?? text)
        expect(error.code).toMatch(/^engine_|^no_ready|^queue_full$|^model_|^stream_interrupted$/)
        expect(expected.startsWith(contentOf(events.slice(0, -1)))).toBe(true)
      } catch (error) {
        if (!leaving.signal.aborted) throw error
      } finally {
        if (leaves !== null) clearTimeout(leaves)
      }
    }
    const client = async (): Promise<void> => {
      while (left-- > 0) await ask()
    }
    const ailing = ails()
    await Promise.all(Array.from({ length: 32 }, client))
    isOver = true
    await ailing
    await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0, {
      seen: () => gateway.vitals,
    })
    expect(gateway.vitals).toMatchObject({ queued: 0, inFlightByEndpoint: { only: 0 } })
    await untilTrue('the engine is free', () => only.stats().inFlight === 0, {
      seen: () => only.stats(),
    })
    // A bug would be told to the operator.
    expect(log).toEqual([])
  },
)
