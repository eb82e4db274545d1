import { expect, test } from 'vitest'
import type { AgentSession } from '#controller/agent-session.ts'
import { applyEvent, type ClusterEvent, emptyCluster } from '#controller/cluster-state.ts'
import type { EventStore } from '#controller/event-store.ts'
import { Fleet, type LiveNode } from '#controller/fleet.ts'
import { tellNewPeer, watchPeers } from '#controller/peer-news.ts'
import { nodeId } from '#core/ids.ts'
import type { ControllerMessage } from '#protocol/agent-messages.ts'
import { HeldClock } from '#testing/held-clock.ts'

function fleetOf(names: readonly string[]) {
  let state = emptyCluster
  const append = (atMs: number, ...events: readonly ClusterEvent[]) => {
    for (const event of events) state = applyEvent(state, event, atMs)
  }
  const store = {
    get state() {
      return state
    },
    append,
  }
  const clock = new HeldClock()
  const fleet = new Fleet({
    store: store as unknown as EventStore,
    clock,
    log: () => {},
    replaceAfterMs: () => 120_000,
  })
  const told: string[] = []
  const sessions = names.map((name, index) => {
    const node = nodeId(name)
    const fingerprint = `fingerprint of ${name}`
    append(0, { type: 'node-joined', node, name, fingerprint, tokenDigest: '' })
    const session = {
      fingerprint,
      send: ({ type }: ControllerMessage) => void told.push(`${name} ${type}`),
    } as unknown as AgentSession
    const live: LiveNode = {
      session,
      heardAtMs: 0,
      version: '1',
      instance: name,
      inventory: null,
      ingress: { host: `10.0.0.${index}`, port: 7073 },
      replicas: [],
      found: [],
      toldPeers: null,
    }
    fleet.live.set(node, live)
    return session
  })
  return { fleet, clock, sessions, told, append }
}

test('what many agents report in a burst reaches gateways at once, and then once more', () => {
  const { fleet, clock } = fleetOf(['a'])
  let heard = 0
  fleet.onEndpointsChanged(() => heard++)
  for (let report = 0; report < 100; report++) fleet.endpointsReported()
  expect(heard).toBe(1)
  clock.pass(49)
  expect(heard).toBe(1)
  clock.pass(1)
  expect(heard).toBe(2)
  clock.pass(1_000)
  expect(heard).toBe(2)
})

test('what is taken from gateways is taken at once, whatever was reported before', () => {
  const { fleet, clock } = fleetOf(['a'])
  let heard = 0
  fleet.onEndpointsChanged(() => heard++)
  fleet.endpointsReported()
  fleet.endpointsReported()
  fleet.endpointsChanged()
  expect(heard).toBe(2)
  clock.pass(1_000)
  expect(heard).toBe(2)
})

test('a fleet that is closed tells gateways nothing more', () => {
  const { fleet, clock } = fleetOf(['a'])
  let heard = 0
  fleet.onEndpointsChanged(() => heard++)
  fleet.endpointsReported()
  fleet.endpointsReported()
  fleet.close()
  clock.pass(1_000)
  expect(heard).toBe(1)
})

test('a message is that of the node whose certificate its line has, until it is revoked', () => {
  const { fleet, sessions, append } = fleetOf(['a', 'b'])
  const [, second] = sessions as [AgentSession, AgentSession]
  expect(fleet.liveOf(second)?.node.name).toBe('b')
  append(0, { type: 'node-draining', node: nodeId('b'), draining: true })
  expect(fleet.liveOf(second)?.node.draining).toBe(true)
  append(0, { type: 'node-revoked', node: nodeId('b') })
  expect(fleet.liveOf(second)).toBeNull()
})

test('the larger the fleet, the longer changes are gathered before all are told of all', () => {
  const names = Array.from({ length: 100 }, (_, index) => `node-${index}`)
  const { fleet, clock, told } = fleetOf(names)
  const end = watchPeers(fleet)
  for (let change = 0; change < 50; change++) {
    fleet.peersChanged()
    clock.pass(10)
  }
  expect(told).toEqual([])
  clock.pass(500)
  expect(told).toHaveLength(100)
  fleet.peersChanged()
  clock.pass(1_000)
  expect(told).toHaveLength(100) // nobody has moved
  // The first of a crowd hears at once, the others together.
  const crowd = names.slice(0, 3).map((name) => nodeId(name))
  for (const id of crowd) fleet.live.set(id, { ...fleet.live.get(id)!, toldPeers: null })
  for (const id of crowd) tellNewPeer(fleet, id)
  expect(told.slice(100)).toEqual(['node-0 peers'])
  clock.pass(1_000)
  expect(told.slice(100)).toEqual(['node-0 peers', 'node-1 peers', 'node-2 peers'])
  end()
})
