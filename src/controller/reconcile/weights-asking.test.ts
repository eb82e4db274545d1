import { expect, test } from 'vitest'
import { AgentFailure } from '#controller/agent-session.ts'
import type { Fleet } from '#controller/fleet.ts'
import { failuresMax, WeightsAsking } from '#controller/reconcile/weights-asking.ts'
import { HeldClock } from '#testing/held-clock.ts'

/** A fleet of one node that can read nothing. */
function fleet(): Fleet {
  const session = {
    ask: async (_what: string, { source }: { source: string }) => {
      throw new AgentFailure(`there is no ${source}`)
    },
  }
  const shape = {
    clock: new HeldClock(),
    state: { inspected: {} },
    log: () => {},
    nodes: () => [{ id: 'node-1' }],
    live: new Map([['node-1', { session, inventory: null }]]),
  }
  return shape as unknown as Fleet
}

test('of sources that could not be read the newest are remembered, and no more', async () => {
  const asking = new WeightsAsking(fleet(), () => {})
  const names = Array.from({ length: failuresMax + 20 }, (_, at) => `hf:o/r${at}`)
  for (const name of names) {
    await expect(asking.read(name)).rejects.toThrow(`there is no ${name}`)
    // One that is asked for all the while stays.
    await expect(asking.read('hf:o/wanted')).rejects.toThrow('there is no hf:o/wanted')
  }
  expect(asking.failureOf('hf:o/wanted')).toBe('there is no hf:o/wanted')
  const kept = names.filter((name) => asking.failureOf(name) !== null)
  expect(kept).toEqual(names.slice(-(failuresMax - 1)))
})
