/** What runs on nodes, as gateways reach it: through the port of each node's agent. */
import type { Fleet } from '#controller/fleet.ts'
import { attachedViews, replicaViews } from '#controller/fleet-views.ts'
import { originOf } from '#controller/ingress-url.ts'
import { isMassSilence } from '#controller/presence.ts'
import type { NodeId } from '#core/ids.ts'

/** Where a gateway reaches the engine of a replica that should be there. */
export interface ReplicaEndpoint {
  readonly replica: string
  readonly model: string
  readonly node: string
  /** Of the agent's port, with the path of the replica. */
  readonly url: string
  /** Of the agent's certificate. */
  readonly fingerprint: string
  /** The engine, once its agent has chosen one. */
  readonly engine: string
  /** False while its node is silent: nothing new is sent there. */
  readonly accepting: boolean
}

/** Where a gateway reaches an engine that somebody else runs on a node. */
export type AttachedAddress = Pick<
  ReplicaEndpoint,
  'node' | 'url' | 'fingerprint' | 'accepting'
> & {
  readonly id: string
}

interface Way {
  readonly url: string
  readonly fingerprint: string
  readonly accepting: boolean
}

/** Replicas as gateways reach them; those on silent nodes too, which take nothing new. */
export function replicaEndpoints(fleet: Fleet): ReplicaEndpoint[] {
  const wayTo = waysOf(fleet)
  return replicaViews(fleet).flatMap(({ spec, node, nodeName, reported }) => {
    const way = wayTo(node)
    // Before an engine is chosen there is nothing to reach.
    if (way === null || reported === null || reported.engine === null) return []
    return [
      {
        replica: spec.id,
        model: spec.model,
        node: nodeName,
        url: `${way.url}/replicas/${encodeURIComponent(spec.id)}`,
        fingerprint: way.fingerprint,
        engine: reported.engine,
        accepting: way.accepting,
      },
    ]
  })
}

export function attachedAddresses(fleet: Fleet): AttachedAddress[] {
  const wayTo = waysOf(fleet)
  return attachedViews(fleet).flatMap(({ id, node, nodeName }) => {
    const way = wayTo(node)
    if (way === null) return []
    const url = `${way.url}/attached/${encodeURIComponent(id)}`
    const { fingerprint, accepting } = way
    return [{ id, node: nodeName, url, fingerprint, accepting }]
  })
}

/** How gateways come to each node; null where they cannot, or should not. */
function waysOf(fleet: Fleet): (node: NodeId) => Way | null {
  const silenceIsOurs = isMassSilence(fleet.presences())
  return (node) => {
    const record = fleet.state.nodes[node]
    const ingress = fleet.live.get(node)?.ingress
    if (record === undefined || ingress === undefined || record.draining) return null
    // A model on a silent node is not there for now, which is not the same as not known.
    const accepting = silenceIsOurs || fleet.presenceOf(node) === 'ready'
    return { url: originOf(ingress), fingerprint: record.fingerprint, accepting }
  }
}
