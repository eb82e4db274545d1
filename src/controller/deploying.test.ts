import { expect, test } from 'vitest'
import { applyEvent, type ClusterEvent, emptyCluster } from '#controller/cluster-state.ts'
import { applyWishes, setConfigured, type Wishes } from '#controller/deploying.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { EventStore } from '#controller/event-store.ts'
import { Fleet } from '#controller/fleet.ts'
import { HeldClock } from '#testing/held-clock.ts'
import { deployment } from '#testing/placement-input.ts'

function emptyFleet(): { readonly fleet: Fleet; readonly said: string[] } {
  const said: string[] = []
  let state = emptyCluster
  const store = {
    get state() {
      return state
    },
    append(atMs: number, ...events: readonly ClusterEvent[]) {
      for (const event of events) state = applyEvent(state, event, atMs)
    },
  }
  const fleet = new Fleet({
    store: store as unknown as EventStore,
    clock: new HeldClock(),
    log: (line) => said.push(line),
    replaceAfterMs: () => 120_000,
  })
  return { fleet, said }
}

const wanted = (name: string, contextTokens = 2_048): WantedDeployment => ({
  ...deployment(name, 4, { contextTokens }),
  sleepAfterMs: 60_000,
})

const wishes = (...deployments: WantedDeployment[]): Wishes => ({
  deployments,
  statements: {},
  models: {},
})

const origins = ({ state }: Fleet) =>
  Object.fromEntries(Object.entries(state.deployments).map(([name, { origin }]) => [name, origin]))

test('of two who apply at the same time, the second is told and changes nothing', () => {
  const { fleet } = emptyFleet()
  const { revision } = fleet.state
  applyWishes(fleet, wishes(wanted('chat')), revision)
  expect(() => applyWishes(fleet, wishes(wanted('other')), revision)).toThrow(
    /somebody has applied other deployments since your plan was made.*run "motley plan" again/,
  )
  expect(Object.keys(fleet.state.deployments)).toEqual(['chat'])
  const change = applyWishes(fleet, wishes(wanted('other')), fleet.state.revision)
  expect(change).toMatchObject({ added: ['other'], removed: ['chat'] })
})

test('a configuration that is read again meanwhile is a change as well', () => {
  const { fleet } = emptyFleet()
  const { revision } = fleet.state
  setConfigured(fleet, wishes(wanted('stt')))
  expect(() => applyWishes(fleet, wishes(wanted('chat')), revision)).toThrow(
    /the configuration of the controller has changed since/,
  )
})

test('what is applied again as it is changes nothing, and outdates no plan', () => {
  const { fleet } = emptyFleet()
  applyWishes(fleet, wishes(wanted('chat')))
  const { revision } = fleet.state
  const change = applyWishes(fleet, wishes(wanted('chat')))
  expect(change).toEqual({ added: [], changed: [], removed: [], nodes: [], models: [] })
  expect(fleet.state.revision).toBe(revision)
})

test('what the configuration says too stays its own; where it says otherwise that is refused', () => {
  const { fleet } = emptyFleet()
  setConfigured(fleet, wishes(wanted('chat')))
  applyWishes(fleet, wishes(wanted('chat'), wanted('more')))
  expect(origins(fleet)).toEqual({ chat: 'configuration', more: 'applied' })
  expect(() => applyWishes(fleet, wishes(wanted('chat', 512)))).toThrow(
    /"chat" belongs to the configuration of the controller, which says otherwise/,
  )
  expect(origins(fleet)).toEqual({ chat: 'configuration', more: 'applied' })
})

test('what is said of a node belongs to whoever said it, as deployments do', () => {
  const { fleet } = emptyFleet()
  const statement = (room: string) => ({ taints: [], labels: { room }, devices: {} })
  setConfigured(fleet, { deployments: [], statements: { khelben: statement('rack') }, models: {} })
  const change = applyWishes(fleet, {
    deployments: [],
    statements: { drizzt: statement('desk') },
    models: {},
  })
  expect(change.nodes).toEqual(['drizzt'])
  expect(() =>
    applyWishes(fleet, { deployments: [], statements: { khelben: statement('desk') }, models: {} }),
  ).toThrow(/the node "khelben" belongs to the configuration/)
  const { nodes } = applyWishes(fleet, wishes())
  expect(nodes).toEqual(['drizzt'])
  expect(fleet.state.statements).toMatchObject({ khelben: { statement: statement('rack') } })
})

test('a configuration that names what was applied takes it over, and that is told', () => {
  const { fleet, said } = emptyFleet()
  applyWishes(fleet, wishes(wanted('chat')))
  setConfigured(fleet, wishes(wanted('chat', 512)))
  expect(origins(fleet)).toEqual({ chat: 'configuration' })
  expect(said).toEqual(['chat had been applied, and is from now on what the configuration says'])
})
