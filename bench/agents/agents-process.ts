/**
 * Simulated agents: many of the agent's own lines to its controller in one process, each with its
 * own certificate and TLS connection. What they say of their machine was recorded on a real one;
 * what they are wanted to run, they say that they run. Takes orders from agents.ts.
 */
import { ControllerLink } from '#agent/controller-link.ts'
import type { ControllerAddress } from '#agent/identity.ts'
import { readRecording } from '#cli/recorded-machine.ts'
import { detect, type Inventory } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { heartbeatMs, type ReplicaSpec, type ReportedReplica } from '#protocol/agent-messages.ts'
import { type Clock, systemClock } from '#std/clock.ts'
import { type Certificate, makeCertificate } from '#std/self-signed-certificate.ts'
import { fastClock } from './fast-clock.ts'
import { type Answer, monotonicMs, type Order } from './orders.ts'

/** A large node, a usual one and a small one, as they were recorded. */
const recordings = ['nvidia/topology-8-gpus-nv12', 'amd/rx-7900-xt', 'cpu/epyc-vm']

interface SimulatedAgent {
  readonly name: string
  readonly certificate: Certificate
  readonly inventory: Inventory
  link: ControllerLink | null
  desired: readonly ReplicaSpec[]
}

let clock: Clock = systemClock
let controller: ControllerAddress | null = null
let agents: readonly SimulatedAgent[] = []
let heartbeats = 0
/** Agents that have not been told what is watched for. */
let watched: { readonly names: Set<string>; readonly model: string; readonly wanted: boolean }
watched = { names: new Set(), model: '', wanted: true }
/** Agents that the controller has not welcomed since it was dialled. */
const dialling = new Set<string>()

function answer(message: Answer): void {
  process.send?.(message)
}

async function prepare(count: number, offset: number): Promise<void> {
  const inventories = await Promise.all(
    recordings.map((name) => detectRecorded(`fixtures/hardware/${name}`)),
  )
  agents = await Promise.all(
    Array.from({ length: count }, async (_, index): Promise<SimulatedAgent> => {
      const name = `node-${offset + index}`
      const certificate = await makeCertificate('motley-agent', Date.now())
      const inventory = inventories[index % inventories.length] as Inventory
      return { name, certificate, inventory, link: null, desired: [] }
    }),
  )
  answer({ kind: 'prepared', names: agents.map(({ name }) => name) })
}

async function detectRecorded(folder: string): Promise<Inventory> {
  return (await detect(probes, readRecording(folder), { clock: systemClock })).inventory
}

/**
 * Counts what fires after the pause between two heartbeats: nothing else waits as long. What waits
 * for an answer, or before the next try, does so by the wall's clock: a handshake takes its time.
 */
const beatClock: Clock = {
  nowMs: () => clock.nowMs(),
  schedule(afterMs, run) {
    if (afterMs !== heartbeatMs) return systemClock.schedule(afterMs, run)
    return clock.schedule(afterMs, () => {
      heartbeats++
      run()
    })
  },
}

function dial(agent: SimulatedAgent, token: string | null): void {
  if (controller === null) throw new Error('an agent dials after it was told where to')
  dialling.add(agent.name)
  agent.link = new ControllerLink({
    identity: { certificate: agent.certificate, controller },
    controller,
    token,
    // Who has joined is patient, whatever its clock says of the handshakes of all at once.
    hasJoined: true,
    joinWithinMs: 0,
    name: agent.name,
    version: 'bench',
    ingress: { host: '127.0.0.1', port: 7073 },
    clock: beatClock,
    chance: Math.random,
    onWelcome() {
      if (dialling.delete(agent.name) && dialling.size === 0) answer({ kind: 'joined' })
    },
    onRefused: (code, message) => answer({ kind: 'refused', message: `${code}: ${message}` }),
    onPeers() {},
    onAttached: () => {},
    onDesired(replicas) {
      agent.desired = replicas
      noteTold(agent)
      agent.link?.reportReplicas(replicas.map(reported))
    },
    onAsk: () => Promise.reject(new Error('a simulated agent runs nothing')),
    log: () => {},
  })
  agent.link.reportInventory(agent.inventory)
  agent.link.reportReplicas(agent.desired.map(reported))
}

function noteTold({ name, desired }: SimulatedAgent): void {
  if (desired.some(({ model }) => model === watched.model) !== watched.wanted) return
  if (watched.names.delete(name) && watched.names.size === 0) {
    answer({ kind: 'told', atMs: monotonicMs() })
  }
}

function reported({ id }: ReplicaSpec): ReportedReplica {
  return {
    id,
    state: 'ready',
    detail: null,
    engine: 'llama-server',
    backend: 'cuda',
    pid: process.pid,
    port: 8_080,
    restarts: 0,
    progress: null,
    alarms: [],
    memory: null,
  }
}

function obey(order: Order): void {
  switch (order.kind) {
    case 'prepare':
      void prepare(order.agents, order.offset)
      break
    case 'join':
      controller = order.controller
      for (const [index, agent] of agents.entries()) dial(agent, order.secrets[index] ?? null)
      break
    case 'watch':
      watched = { names: new Set(order.names), model: order.model, wanted: order.wanted }
      for (const agent of agents) noteTold(agent)
      answer({ kind: 'watching' })
      break
    case 'report':
      for (const { link, desired } of agents) link?.reportReplicas(desired.map(reported))
      break
    case 'redial':
      for (const agent of agents.slice(0, order.agents)) {
        agent.link?.close()
        dial(agent, null)
      }
      break
    case 'storm':
      clock = fastClock(order.faster)
      for (const { name } of agents) dialling.add(name)
      break
    case 'count': {
      const connected = agents.filter(({ link }) => link?.isUp).length
      answer({ kind: 'count', heartbeats, connected })
      break
    }
    case 'end':
      for (const { link } of agents) link?.close()
      process.disconnect()
  }
}

process.on('message', (order: Order) => obey(order))
// The benchmark is over, however it ended.
process.on('disconnect', () => process.exit())
