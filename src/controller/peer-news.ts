/**
 * Each node is told of the others, whose weights it may take and who may take its own. Everybody's
 * list is as long as the fleet: it is told to whom it is new, and for all who came at once, once.
 */
import { createHash } from 'node:crypto'
import type { Fleet, LiveNode } from '#controller/fleet.ts'
import { isLoopback, originOf } from '#controller/ingress-url.ts'
import type { NodeId } from '#core/ids.ts'
import type { AgentPeer } from '#protocol/agent-messages.ts'

/** Somebody who has just joined takes no weights within this. */
const gatherMsMin = 200

/**
 * Each of so many is told of so many: 4 MB and 50 ms of CPU for 200, who take some seconds to come
 * back together, and 25 times as much for 1,000. Pauses as long as the fleet is large make of that
 * one telling or two, and keep it a small part of a CPU however often somebody comes or goes: 2 s for
 * 200, 10 s for 1,000. Until the others have heard of it, a new node gets no weights from them, and
 * takes them from their source.
 */
const gatherMsPerNode = 10

/** Tells all to whom it is news. */
export function tellPeers(fleet: Fleet): void {
  const peers = peersOf(fleet)
  const told = digestOf(peers)
  for (const [id, live] of fleet.live) {
    if (live.toldPeers !== told) tell(id, live, peers, told)
  }
}

/**
 * Tells one that has just come at once, and the others soon; those who come in a crowd hear with the
 * others: the list of each would be longer by one than that of the one before.
 */
export function tellNewPeer(fleet: Fleet, id: NodeId): void {
  const live = fleet.live.get(id)
  if (live === undefined || fleet.peersChanged().isGathering) return
  const peers = peersOf(fleet)
  tell(id, live, peers, digestOf(peers))
}

/** Tells them soon after each change. Returns its end. */
export function watchPeers(fleet: Fleet): () => void {
  let cancel: (() => void) | null = null
  fleet.onPeersChanged(() => {
    const isGathering = cancel !== null
    const gatherMs = Math.max(gatherMsMin, gatherMsPerNode * fleet.live.size)
    cancel ??= fleet.clock.schedule(gatherMs, () => {
      cancel = null
      tellPeers(fleet)
    })
    return { isGathering }
  })
  return () => {
    fleet.onPeersChanged(() => ({ isGathering: false }))
    cancel?.()
  }
}

interface Peer {
  readonly id: NodeId
  readonly ingress: LiveNode['ingress']
  readonly fingerprint: string
}

/** In an order that does not depend on who came last. */
function peersOf(fleet: Fleet): Peer[] {
  return fleet.nodes().flatMap(({ id, fingerprint }) => {
    const ingress = fleet.live.get(id)?.ingress
    return ingress === undefined ? [] : [{ id, ingress, fingerprint }]
  })
}

/** Every node has one: the text itself would be megabytes for a few hundred. */
function digestOf(peers: readonly Peer[]): string {
  return createHash('sha256').update(JSON.stringify(peers)).digest('hex')
}

function tell(id: NodeId, live: LiveNode, peers: readonly Peer[], told: string): void {
  // An address that means "this machine" means another one elsewhere.
  const local = isLoopback(live.ingress.host)
  const others = peers
    .filter((peer) => peer.id !== id && (local || !isLoopback(peer.ingress.host)))
    .map(({ ingress, fingerprint }): AgentPeer => ({ url: originOf(ingress), fingerprint }))
  live.session?.send({ type: 'peers', peers: others })
  live.toldPeers = told
}
