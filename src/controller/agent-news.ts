/** What agents tell, from hello to goodbye, and what each is told when it comes. */
import type { AgentSession } from '#controller/agent-session.ts'
import { tellAttached } from '#controller/attaching.ts'
import type { Fleet } from '#controller/fleet.ts'
import { hasFreedMemory, isLastingChange } from '#controller/inventory-change.ts'
import { keepMemory } from '#controller/measuring.ts'
import { type Hello, type HelloRefusal, takeHello } from '#controller/node-joining.ts'
import { tellNewPeer } from '#controller/peer-news.ts'
import { tellDesired } from '#controller/replica-wishes.ts'
import type { AgentMessage } from '#protocol/agent-messages.ts'

/** Null for an agent that is in from now on. Throws `StoreError`. */
export function welcomeAgent(
  fleet: Fleet,
  hello: Hello,
  session: AgentSession,
): HelloRefusal | null {
  const outcome = takeHello(fleet, hello, session)
  if (outcome.kind === 'refused') return outcome.refusal
  const { node, protocol } = outcome
  const before = fleet.live.get(node)
  before?.session?.end()
  fleet.live.set(node, {
    session,
    heardAtMs: fleet.clock.nowMs(),
    version: hello.version,
    instance: hello.instance,
    inventory: before?.inventory ?? null,
    ingress: {
      host: hello.ingress.host ?? session.remoteAddress.replace(/^::ffff:/, ''),
      port: hello.ingress.port,
    },
    replicas: before?.replicas ?? [],
    found: before?.found ?? [],
    toldPeers: null,
  })
  session.send({ type: 'welcome', protocol, node, name: fleet.nameOf(node) })
  tellDesired(fleet, node)
  tellNewPeer(fleet, node)
  tellAttached(fleet, node)
  fleet.endpointsReported()
  fleet.changed(`${fleet.nameOf(node)} is there`)
  return null
}

export function hearAgent(fleet: Fleet, message: AgentMessage, session: AgentSession): void {
  const teller = fleet.liveOf(session)
  if (teller === null) return
  const { node, live } = teller
  live.heardAtMs = fleet.clock.nowMs()
  switch (message.type) {
    case 'heartbeat':
      session.send({ type: 'alive' })
      break
    case 'inventory': {
      const { inventory } = message
      const before = live.inventory
      live.inventory = inventory
      if (isLastingChange(node.inventory, inventory)) {
        fleet.note({ type: 'inventory-changed', node: node.id, inventory })
        fleet.changed(`what is in ${node.name} has changed`)
      } else if (hasFreedMemory(before, inventory)) {
        fleet.changed(`memory of ${node.name} has come free`)
      }
      break
    }
    case 'replicas':
      live.replicas = message.replicas
      for (const replica of message.replicas) keepMemory(fleet, node.id, replica)
      fleet.endpointsReported()
      fleet.replicasReported(node.id, message.replicas)
      break
    case 'found':
      live.found = message.engines
      break
    case 'hello':
    case 'reply':
      break
  }
}

/** Its line is over. Whether its node is gone is for time to tell. */
export function loseAgent(fleet: Fleet, session: AgentSession): void {
  const lost = fleet.liveOf(session)
  if (lost !== null) lost.live.session = null
}
