/**
 * The controller and what it drives on virtual time: agents that do as they are told, a step each
 * second, and everything that can happen to them meanwhile. What holds is looked at each second.
 */
import { expect, onTestFinished } from 'vitest'
import type { AgentSession } from '#controller/agent-session.ts'
import { applyEvent, type ClusterEvent, emptyCluster } from '#controller/cluster-state.ts'
import { applyWishes } from '#controller/deploying.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { EventStore } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
import { watchPresence } from '#controller/presence-watch.ts'
import { Reconciler } from '#controller/reconcile/reconciler.ts'
import { tellDesired } from '#controller/replica-wishes.ts'
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

export class Story {
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

export const wanted = (name: string, gib: number, more: Partial<WantedDeployment> = {}) => ({
  ...deployment(name, gib, { contextTokens: 2_048, slots: 1, share: true }),
  sleepAfterMs: 60_000,
  ...more,
})

export const apply = (story: Story, ...deployments: readonly WantedDeployment[]) =>
  story.attempt(() => {
    applyWishes(story.fleet, { deployments, statements: {}, models: {} })
  })
