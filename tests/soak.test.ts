/** Thousands of aborts and faults over eight endpoints leave nothing behind. */

import { Agent, request as httpRequest } from 'node:http'
import { expect, test } from 'vitest'
import type { Emulator } from '#emulator/emulator.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { afterTest } from './harness/after-test.ts'
import { endpointsOf, engine, fleet, question } from './harness/fleet.ts'
import { heldHeapBytes } from './harness/held-memory.ts'
import { untilTrue } from './harness/until-true.ts'

const requests = Number(process.env['SOAK_REQUESTS'] ?? 10_000)
const seed = Number(process.env['SOAK_SEED'] ?? 20261121)

const faults = [
  [],
  ['status:500@p=0.2'],
  ['reset@p=0.2'],
  ['stall:2:60s@p=0.05'],
  ['cut:3@p=0.2'],
  ['status:503@p=0.2'],
  ['hang@p=0.03'],
  ['reset-at:2@p=0.2', 'garbage:2@p=0.1'],
]

test(`line 5: ${requests} aborts, resets, stalls and 5xx over 8 endpoints leave nothing in flight (repeat: SOAK_SEED=${seed} SOAK_REQUESTS=${requests} npx vitest run tests/soak.test.ts)`, async () => {
  const chance = seededChance(seed)
  const engines: Record<string, Emulator> = {}
  for (const [index, list] of faults.entries()) {
    engines[`e${index}`] = await engine({ faults: list, seed: seed + index })
  }
  const { url, gateway } = await fleet(
    {
      endpoints: endpointsOf(engines, { health: { intervalMs: 500 } }),
      gateway: { timeouts: { firstByteMs: 120, betweenChunksMs: 120 } },
    },
    { chance },
  )
  const agent = new Agent({ keepAlive: true, maxSockets: 96 })
  afterTest(() => agent.destroy())
  const body = JSON.stringify({ ...question, max_tokens: 6, stream: true })
  const whole = JSON.stringify({ ...question, max_tokens: 6 })

  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const leave = chance()
      const request = httpRequest(
        `${url}/v1/chat/completions`,
        { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
        (response) => {
          if (leave > 0.15 && leave < 0.3) response.once('data', () => request.destroy())
          response.resume()
          response.on('error', () => {})
          response.on('close', resolve)
        },
      )
      request.on('error', () => resolve())
      request.on('close', () => resolve())
      request.end(chance() < 0.5 ? body : whole)
      if (leave < 0.15) setTimeout(() => request.destroy(), leave * 60)
    })

  let left = requests
  const client = async (): Promise<void> => {
    while (left-- > 0) await one()
  }
  const round = async (count: number): Promise<number> => {
    left = count
    await Promise.all(Array.from({ length: 96 }, client))
    await untilTrue('nothing is in flight', () => gateway.vitals.inFlight === 0, {
      seen: () => gateway.vitals,
    })
    return heldHeapBytes()
  }
  const early = await round(Math.floor(requests / 2))
  const late = await round(Math.ceil(requests / 2))
  agent.destroy()
  expect(gateway.vitals.inFlightByEndpoint).toEqual(
    Object.fromEntries(Object.keys(engines).map((name) => [name, 0])),
  )
  expect(gateway.vitals.queued).toBe(0)
  await untilTrue('no connection is open', () => gateway.vitals.openConnections === 0, {
    seen: () => gateway.vitals,
  })
  for (const [name, emulator] of Object.entries(engines)) {
    await untilTrue(`${name} is free`, () => emulator.stats().inFlight === 0, {
      seen: () => emulator.stats(),
    })
  }
  // Twice the requests hold no more memory; anything kept of each would be kilobytes.
  expect(late - early).toBeLessThan((requests / 2) * 1000)
}, 120_000)
