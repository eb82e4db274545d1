/**
 * The controller and what it drives on virtual time: agents that do as they are told, a step each
 * second, and everything that can happen to them meanwhile. What holds is looked at each second.
 */
import { expect, onTestFinished, test } from 'vitest'
import type { AgentSession } from '#controller/agent-session.ts'
import { applyEvent, type ClusterEvent, emptyCluster } from '#controller/cluster-state.ts'
import { applyWishes, retryStarts } from '#controller/deploying.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { EventStore } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
import { revokeNode } from '#controller/node-joining.ts'
import { watchPresence } from '#controller/presence-watch.ts'
import { Reconciler } from '#controller/reconcile/reconciler.ts'
import { Scaler } from '#controller/reconcile/scaler.ts'
import { setDraining, tellDesired } from '#controller/replica-wishes.ts'
import { type NodeId, nodeId } from '#core/ids.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import type { ReportedInventory, ReportedReplica } from '#protocol/agent-messages.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { deployment, evenFit, nvidia, testEngines } from '#testing/placement-input.ts'

/** How an engine comes up, a second each. */
const lives = ['pulling', 'starting', 'loading', 'ready'] as const

/** A machine: what it was told to run, and how far each is. It runs on when nobody talks to it. */
class Machine {
  readonly id: NodeId
  readonly inventory: ReportedInventory
  desired: readonly string[] = []
  /** The beginning of the names of those whose engine dies whenever it is started. */
  doomed: string | null = null
  readonly #ages = new Map<string, number>()
  isUp = true

  constructor(name: string) {
    this.id = nodeId(name)
    this.inventory = {
      devices: [nvidia(24).device],
      os: 'linux',
      engines: null,
      weights: [],
      freeDiskBytes: null,
    } as unknown as ReportedInventory
  }

  second(): void {
    for (const id of this.#ages.keys()) if (!this.desired.includes(id)) this.#ages.delete(id)
    for (const id of this.desired) this.#ages.set(id, (this.#ages.get(id) ?? -1) + 1)
  }

  #stateAt(id: string, age: number): ReportedReplica['state'] {
    const last = lives.length - 1
    if (age < last) return lives[age] ?? 'pulling'
    return this.doomed !== null && id.startsWith(this.doomed) ? 'crash-looping' : 'ready'
  }

  get replicas(): ReportedReplica[] {
    return [...this.#ages].map(([id, age]) => ({
      id,
      state: this.#stateAt(id, age),
      detail: null,
      engine: 'llama-server',
      backend: 'cuda',
      pid: null,
      port: null,
      restarts: 0,
      progress: null,
      alarms: [],
      memory: null,
    }))
  }
}

class Killed extends Error {
  override readonly message = 'killed'
}

const planner = createPlanner(evenFit)

class Story {
  readonly clock = new HeldClock()
  readonly machines: ReadonlyMap<string, Machine>
  readonly said: string[] = []
  #state = emptyCluster
  #run = 0
  #writes = 0
  /** The controller dies with this event, right after it is on the disk. */
  killAt = Number.POSITIVE_INFINITY
  /** As a planner does that has a large fleet to think about. */
  plansNoMore = false
  fleet!: Fleet
  reconciler!: Reconciler
  #end = (): void => {}

  constructor(...names: readonly string[]) {
    this.machines = new Map(names.map((name) => [name, new Machine(name)]))
    for (const name of names) {
      const joined = { type: 'node-joined', node: nodeId(name), name, fingerprint: name } as const
      this.#state = applyEvent(this.#state, { ...joined, tokenDigest: '' }, 0)
    }
    this.start()
    onTestFinished(() => this.#end())
  }

  get writes(): number {
    return this.#writes
  }

  /** A controller that knows what was written, and nothing else; agents come back to it. */
  start(): void {
    this.#end()
    const run = ++this.#run
    const story = this
    const store = {
      get state() {
        return story.#state
      },
      append(atMs: number, ...events: readonly ClusterEvent[]) {
        if (run !== story.#run) throw new Killed()
        for (const event of events) story.#state = applyEvent(story.#state, event, atMs)
        story.#writes += 1
        if (story.#writes === story.killAt) {
          story.#run += 1
          throw new Killed()
        }
      },
    }
    const { clock } = this
    this.fleet = new Fleet({
      store: store as unknown as EventStore,
      clock,
      log: (line) => this.said.push(line),
      replaceAfterMs: () => 120_000,
    })
    for (const name of this.machines.keys()) this.connect(name)
    this.reconciler = new Reconciler({
      fleet: this.fleet,
      makePlan: (input) => (this.plansNoMore ? new Promise(() => {}) : planner(input)),
      settings: () => ({ engines: testEngines, reserve: 'none' }),
      keepPlan: () => {},
    })
    this.fleet.onChanged((because) => this.reconciler.note(because))
    this.fleet.onReplicasReported((node, replicas) => this.reconciler.noteReplicas(node, replicas))
    const unwatch = watchPresence(this.fleet)
    const { reconciler } = this
    this.#end = () => {
      unwatch()
      if (!this.plansNoMore) void reconciler.close()
    }
    this.reconciler.note('the controller has started')
  }

  connect(name: string): void {
    const machine = this.machine(name)
    if (!machine.isUp || this.#state.nodes[machine.id]?.revoked !== false) return
    const session = {
      send: (message: { type: string; replicas?: readonly { id: string }[] }) => {
        if (machine.isUp && message.type === 'desired') {
          machine.desired = (message.replicas ?? []).map(({ id }) => id)
        }
      },
      refuse: () => {
        machine.desired = []
      },
    } as unknown as AgentSession
    this.fleet.live.set(machine.id, {
      ...{ session, heardAtMs: this.clock.nowMs(), version: 'test', instance: 'test' },
      ...{ inventory: machine.inventory, ingress: { host: '127.0.0.1', port: 1 } },
      ...{ replicas: machine.replicas, found: [], toldPeers: null },
    })
    tellDesired(this.fleet, machine.id)
  }

  /** Nobody hears of it any more; what it runs runs on. */
  silence(...names: readonly string[]): void {
    for (const name of names) {
      this.machine(name).isUp = false
      const live = this.fleet.live.get(nodeId(name))
      if (live !== undefined) live.session = null
    }
  }

  machine(name: string): Machine {
    const machine = this.machines.get(name)
    if (machine === undefined) throw new Error(`no machine ${name}`)
    return machine
  }

  /** Whatever it does may be the controller's last: then the next one starts. */
  async attempt(work: () => void): Promise<void> {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
    // A plan is made and adopted within this.
    for (let turn = 0; turn < 4; turn += 1) await new Promise(setImmediate)
    const bugs = this.said.filter((line) => /^no plan could be made: (?!killed)/.test(line))
    expect(bugs).toEqual([])
    if (this.#writes >= this.killAt) {
      this.killAt = Number.POSITIVE_INFINITY
      this.start()
    }
  }

  async pass(seconds: number, look: () => void = () => {}): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      for (const machine of this.machines.values()) {
        machine.second()
        await this.attempt(() => this.#tell(machine))
      }
      await this.attempt(() => this.clock.pass(1_000))
      look()
    }
  }

  #tell(machine: Machine): void {
    const live = this.fleet.live.get(machine.id)
    if (!machine.isUp || live === undefined) return
    live.heardAtMs = this.clock.nowMs()
    live.replicas = machine.replicas
    this.fleet.replicasReported(machine.id, live.replicas)
  }

  /** The nodes where each answers, as it is and not as it is told. */
  answering(name: string): string[] {
    return [...this.machines].flatMap(([node, { replicas, isUp }]) => {
      const here = replicas.filter(
        ({ id, state }) => state === 'ready' && id.replace(/-\d+$/, '') === name,
      )
      return isUp ? here.map(() => node) : []
    })
  }

  get isSettled(): boolean {
    return this.#state.plan === null
  }
}

const wanted = (name: string, gib: number, more: Partial<WantedDeployment> = {}) => ({
  ...deployment(name, gib, { contextTokens: 2_048, slots: 1, share: true }),
  sleepAfterMs: 60_000,
  ...more,
})

const apply = (story: Story, ...deployments: readonly WantedDeployment[]) =>
  story.attempt(() => {
    applyWishes(story.fleet, { deployments, statements: {}, models: {} })
  })

const two = { min: 2, max: 2 }
const apart = { constraints: { ...deployment('x', 1).constraints, awayFrom: ['pair'] } }
const three = [
  wanted('big', 14),
  wanted('small', 3),
  wanted('pair', 2, { replicas: two, ...apart }),
] as const

/** Applied, settled, changed, drained and undone; returns how often it was written. */
async function wholeStory(killAt: number): Promise<Story> {
  const story = new Story('alpha', 'beta', 'gamma')
  story.killAt = killAt
  await apply(story, ...three)
  await story.pass(20)
  await apply(story, wanted('big', 14, { contextTokens: 4_096 }), ...three.slice(1))
  await story.pass(20)
  await story.attempt(() => setDraining(story.fleet, 'alpha', true))
  await story.pass(20)
  await story.attempt(() => setDraining(story.fleet, 'alpha', false))
  await story.pass(20)
  return story
}

function everythingAnswers(story: Story): void {
  expect(story.isSettled).toBe(true)
  expect(story.answering('big')).toHaveLength(1)
  expect(story.answering('small')).toHaveLength(1)
  expect(new Set(story.answering('pair')).size).toBe(2)
  expect(story.answering('pair')).toHaveLength(2)
}

test('killed after any write, the controller is followed by one that comes to the same', async () => {
  const whole = await wholeStory(Number.POSITIVE_INFINITY)
  everythingAnswers(whole)
  expect(whole.writes).toBeGreaterThan(15)
  for (let killAt = 1; killAt <= whole.writes; killAt += 1) {
    const story = await wholeStory(killAt)
    // What was being asked for when it died was not acknowledged: it is asked for again.
    await story.attempt(() => setDraining(story.fleet, 'alpha', false))
    await apply(story, wanted('big', 14, { contextTokens: 4_096 }), ...three.slice(1))
    await story.pass(20)
    everythingAnswers(story)
  }
}, 120_000)

test('a node is made up for 120 s after its last word, and not before', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const [victim = ''] = story.answering('big')
  story.silence(victim)
  await story.pass(118)
  expect(story.answering('big')).toEqual([])
  await story.pass(10)
  expect(story.answering('big')).toHaveLength(1)
  expect(story.answering('big')).not.toContain(victim)

  // It comes back with what it ran: one of the two goes, and everything is as it was wanted.
  story.machine(victim).isUp = true
  story.connect(victim)
  await story.pass(30)
  everythingAnswers(story)
})

test('while most nodes are lost nothing is stopped or moved, and then all goes on', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const before = () => [...story.machines.values()].map(({ desired }) => [...desired].sort())
  const told = before()
  story.silence('alpha', 'beta')
  await story.pass(600, () => expect(before()).toEqual(told))
  for (const name of ['alpha', 'beta']) {
    story.machine(name).isUp = true
    story.connect(name)
  }
  await story.pass(30)
  expect(before()).toEqual(told)
  everythingAnswers(story)
})

test('most nodes lost in the middle of a move: what still answers is not stopped', async () => {
  for (let after = 1; after <= 8; after += 1) {
    const story = new Story('alpha', 'beta', 'gamma', 'delta')
    await apply(story, wanted('big', 10))
    await story.pass(20)
    const [from = ''] = story.answering('big')
    await story.attempt(() => setDraining(story.fleet, from, true))
    await story.pass(after)
    const isDone = story.isSettled
    const holder = [...story.machines].find(
      ([name, { desired }]) => name !== from && desired.length > 0,
    )
    const others = [...story.machines.keys()].filter(
      (name) => name !== from && name !== holder?.[0],
    )
    // All but the one it leaves: three of four.
    story.silence(...others, ...(holder === undefined ? [] : [holder[0]]))
    await story.pass(300)
    if (!isDone) expect(story.answering('big')).toContain(from)
  }
})

test('a plan of before most nodes were lost stops nothing, though there is no newer one yet', async () => {
  const story = new Story('alpha', 'beta', 'gamma', 'delta', 'epsilon')
  await apply(story, wanted('big', 10))
  await story.pass(20)
  const [from = ''] = story.answering('big')
  const others = [...story.machines.keys()].filter((name) => name !== from)
  story.silence(...others.slice(0, 3))
  await story.pass(57)
  await story.attempt(() => setDraining(story.fleet, from, true))
  await story.pass(2)
  expect(story.isSettled).toBe(false)
  story.plansNoMore = true
  await story.pass(20)
  expect(story.answering('big')).toEqual(expect.arrayContaining([from, others[3]]))
})

test('a node that is revoked is made up for at once', async () => {
  const story = new Story('alpha', 'beta', 'gamma')
  await apply(story, ...three)
  await story.pass(20)
  const [victim = ''] = story.answering('big')
  await story.attempt(() => revokeNode(story.fleet, victim))
  await story.pass(8)
  expect(story.machine(victim).desired).toEqual([])
  everythingAnswers(story)
})

test('a node that drains and is used again, over and over, never leaves a deployment without', async () => {
  for (const everySeconds of [1, 2, 3, 5]) {
    const story = new Story('alpha', 'beta', 'gamma')
    await apply(story, ...three)
    await story.pass(20)
    const [victim = ''] = story.answering('big')
    const isThere = () => {
      for (const name of ['big', 'small']) expect(story.answering(name)).not.toEqual([])
      expect(story.answering('pair').length).toBeGreaterThanOrEqual(1)
    }
    for (let turn = 0; turn < 20; turn += 1) {
      await story.attempt(() => setDraining(story.fleet, victim, turn % 2 === 0))
      await story.pass(everySeconds, isThere)
    }
    await story.pass(30, isThere)
    everythingAnswers(story)
  }
})

test('a node lost in the middle of its drain: what was on its way comes, what it had is made up for', async () => {
  for (let after = 1; after <= 6; after += 1) {
    const story = new Story('alpha', 'beta', 'gamma')
    await apply(story, ...three)
    await story.pass(20)
    const [victim = ''] = story.answering('big')
    await story.attempt(() => setDraining(story.fleet, victim, true))
    await story.pass(after)
    story.silence(victim)
    await story.pass(140)
    everythingAnswers(story)
    expect(story.answering('big')).not.toContain(victim)
  }
})

test('who has mended what made a start fail has it tried again at once', async () => {
  const story = new Story('alpha')
  story.machine('alpha').doomed = 'doomed'
  await apply(story, wanted('doomed', 3))
  await story.pass(20)
  const scaler = new Scaler({
    fleet: story.fleet,
    demand: () => [],
    lastPlan: () => story.reconciler.lastPlan,
  })
  onTestFinished(() => scaler.close())
  const sleeping = scaler.sleeping('doomed')
  const [failure] = Object.values(story.fleet.state.failedStarts)
  // What a client is told to wait for is when the next start is tried, and no sooner.
  expect(sleeping?.state).toBe('no-place')
  expect(sleeping?.retryMs).toBe((failure?.untilMs ?? 0) - story.clock.nowMs())
  expect(sleeping?.retryMs).toBeGreaterThan(200_000)

  story.machine('alpha').doomed = null
  await story.pass(20)
  expect(story.answering('doomed')).toEqual([])
  expect(retryStarts(story.fleet, 'doomed')).toEqual({ nodes: ['alpha'] })
  await story.pass(10)
  expect(story.answering('doomed')).toEqual(['alpha'])
  expect(retryStarts(story.fleet, 'doomed')).toEqual({ nodes: [] })
  expect(() => retryStarts(story.fleet, 'other')).toThrow(
    'there is no deployment "other"; there is doomed',
  )
})

test('before it has ever run, waking is expected to take what weights, disk and network allow', async () => {
  const story = new Story('alpha')
  const asleep = wanted('asleep', 10, { replicas: { min: 0, max: 1 } })
  await apply(story, asleep)
  await story.pass(5)
  const scaler = new Scaler({ fleet: story.fleet, demand: () => [], lastPlan: () => null })
  onTestFinished(() => scaler.close())
  const bytes = asleep.variants[0]?.facts?.tensorBytes ?? 0
  expect(bytes).toBeGreaterThan(0)
  const expected = (bytes / 100e6 + bytes / 500e6) * 1_000 + 2_000
  expect(scaler.sleeping('asleep')).toMatchObject({
    state: 'asleep',
    expectedMs: Math.round(expected),
  })
})

test('a start that fails is one failure, and the next try waits twice as long', async () => {
  const story = new Story('alpha', 'beta')
  for (const machine of story.machines.values()) machine.doomed = 'doomed'
  await apply(story, wanted('one', 16), wanted('doomed', 3))
  await story.pass(3_600)
  const told = story.said.filter((line) => line.startsWith('doomed-0 does not come up on alpha'))
  const pauses = told.map((line) => Number(/for (\d+) min/.exec(line)?.[1]))
  expect(pauses).toEqual([5, 10, 20, 40].slice(0, pauses.length))
  expect(pauses.length).toBeGreaterThanOrEqual(3)
  expect(story.answering('one')).toHaveLength(1)
})

test('what dies wherever it is tried does not take the place of others every few minutes', async () => {
  const story = new Story('alpha', 'beta')
  for (const machine of story.machines.values()) machine.doomed = 'doomed'
  const others = [wanted('one', 16), wanted('two', 16)]
  await apply(story, ...others)
  await story.pass(20)
  await apply(story, ...others, wanted('doomed', 16, { priority: 'critical' }))
  let starts = 0
  let was: readonly string[] = []
  await story.pass(3_600, () => {
    const now = [...story.machines.values()].flatMap(({ desired }) => desired)
    if (now.includes('doomed-0') && !was.includes('doomed-0')) starts += 1
    was = now
  })
  expect(starts).toBeGreaterThanOrEqual(1)
  // One try at each of the two, and one more where the eviction was an earlier plan's.
  expect(starts).toBeLessThanOrEqual(4)
  expect(story.answering('one')).toHaveLength(1)
  expect(story.answering('two')).toHaveLength(1)
})
