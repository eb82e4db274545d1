import { expect, test } from 'vitest'
import { chat, contentOf, endpointsOf, engine, fleet, readEvents } from './harness/fleet.ts'

test('a stream through the gateway is the one that the engine sends', async () => {
  const one = await engine()
  const { url } = await fleet({ endpoints: endpointsOf({ one }) })
  const direct = await readEvents(await chat(one.url, { stream: true, seed: 1 }))
  const relayed = await readEvents(await chat(url, { stream: true, seed: 1 }))
  expect(relayed.broken).toBe(false)
  expect(contentOf(relayed.events)).toBe(contentOf(direct.events))
  expect(relayed.events.at(-1)).toBe('[DONE]')
})
