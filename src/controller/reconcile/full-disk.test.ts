/** What the reconciler and the scaler do of themselves, with nobody to tell that the disk is full. */
import { expect, test } from 'vitest'
import {
  applyEvent,
  type ClusterEvent,
  type ClusterState,
  emptyCluster,
} from '#controller/cluster-state.ts'
import { type EventStore, StoreFullError } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
import { Reconciler } from '#controller/reconcile/reconciler.ts'
import { Scaler } from '#controller/reconcile/scaler.ts'
import { nodeId } from '#core/ids.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { deployment } from '#testing/placement-input.ts'

const sleepy = { ...deployment('chat', 4, { replicas: { min: 0, max: 1 } }), sleepAfterMs: 60_000 }

const stop = {
  kind: 'stop' as const,
  step: 'stop old-0',
  after: [],
  replica: {
    id: 'old-0',
    deployment: 'old',
    node: 'node-1',
    devices: ['cpu-0'],
    engine: 'llama-server' as const,
    backend: 'cpu' as const,
    source: 'file:/a.gguf',
    contextTokens: 2_048,
    slots: 1,
    memoryFraction: null,
    ready: true,
    claimedBytes: {},
    measuredBytes: null,
  },
  because: 'no deployment of that name is wanted any more',
  evictedFor: null,
  interrupts: false,
}

const state: ClusterState = {
  ...emptyCluster,
  deployments: { chat: { deployment: sleepy, origin: 'applied' } },
  scales: { chat: { wanted: 1, because: 'somebody asks for it', sinceMs: 0 } },
  replicas: {
    'old-0': { spec: { id: 'old-0' } as never, node: nodeId('node-1'), placed: null },
  },
  plan: { id: 'plan-1', because: 'a test', adoptedAtMs: 0, steps: [stop] },
}

test('a full disk ends neither the controller nor its plan: it is tried again, and said once', async () => {
  const clock = new HeldClock()
  const said: string[] = []
  let tries = 0
  const append = () => {
    tries += 1
    throw new StoreFullError('the disk is full')
  }
  const fleet = new Fleet({
    store: { state, append } as unknown as EventStore,
    clock,
    log: (line) => said.push(line),
    replaceAfterMs: () => 120_000,
  })
  const reconciler = new Reconciler({
    fleet,
    makePlan: () => new Promise(() => {}),
    settings: () => ({ engines: [], reserve: 'none' }),
    keepPlan: () => {},
  })
  const scaler = new Scaler({ fleet, demand: () => [], lastPlan: () => null })
  expect(tries).toBe(1)
  reconciler.noteReplicas(nodeId('node-1'), [])
  expect(tries).toBe(2)
  clock.pass(120_000)
  expect(tries).toBeGreaterThan(20)
  expect(said).toEqual(['controller: the disk is full'])
  expect(fleet.state.plan?.id).toBe('plan-1')
  scaler.close()
})

test('a plan that could not be written down is made again, and whoever waits for it is told', async () => {
  const clock = new HeldClock()
  let isFull = true
  let remembered: ClusterState = { ...state, plan: null, replicas: {} }
  const fleet = new Fleet({
    store: {
      get state() {
        return remembered
      },
      append(atMs: number, ...events: readonly ClusterEvent[]) {
        if (isFull) throw new StoreFullError('the disk of the controller is full')
        for (const event of events) remembered = applyEvent(remembered, event, atMs)
      },
    } as unknown as EventStore,
    clock,
    log: () => {},
    replaceAfterMs: () => 120_000,
  })
  const reconciler = new Reconciler({
    fleet,
    makePlan: () => ({
      ...{ id: 'plan-2', replicas: [], steps: [stop], unplaced: [], candidates: [] },
      optimizer: { name: 'greedy', gapRatio: null },
    }),
    settings: () => ({ engines: [], reserve: 'none' }),
    keepPlan: () => {},
  })
  const scaler = new Scaler({ fleet, demand: () => [], lastPlan: () => reconciler.lastPlan })
  reconciler.note('a test')
  const passed = async (ms: number) => {
    clock.pass(ms)
    await new Promise(setImmediate)
  }
  await passed(300)
  expect(scaler.sleeping('chat')).toMatchObject({
    state: 'no-place',
    because: 'the disk of the controller is full',
  })
  isFull = false
  for (let look = 0; look < 3; look += 1) await passed(6_000)
  expect(fleet.unwritten).toBeNull()
  expect(reconciler.lastPlan?.id).toBe('plan-2')
  expect(scaler.sleeping('chat')).toMatchObject({ state: 'starting', because: null })
  scaler.close()
  await reconciler.close()
})
