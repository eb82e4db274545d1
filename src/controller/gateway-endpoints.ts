/**
 * What should run on nodes, as gateways know it: reached through the port of each node's agent, or
 * held, with the reason. A model that is not there for now is not the same as one that is unknown.
 */
import type { Fleet } from '#controller/fleet.ts'
import { attachedViews, replicaViews } from '#controller/fleet-views.ts'
import { originOf } from '#controller/ingress-url.ts'
import { isMassSilence } from '#controller/presence.ts'
import { isDesired } from '#controller/replica-wishes.ts'
import type { EndpointHold } from '#core/config/endpoints.ts'
import type { NodeId } from '#core/ids.ts'
import type { MeasuredSpeed } from '#core/measured-speed.ts'
import type { ReportedReplica } from '#protocol/agent-messages.ts'

/** Where a gateway reaches the engine of a replica that should be there. */
export interface ReplicaEndpoint {
  readonly replica: string
  readonly model: string
  readonly node: string
  /** Of the agent's port, with the path of the replica. */
  readonly url: string
  /** Of the agent's certificate. */
  readonly fingerprint: string
  /** Null until its agent has chosen one. */
  readonly engine: string | null
  /** Why nothing new is sent there; null when it may be. */
  readonly held: EndpointHold | null
  /** Longest prompt plus answer, in tokens; null while nobody knows. */
  readonly contextTokens: number | null
  /** What a benchmark found of its kind on its node; null where none was run. */
  readonly measured: MeasuredSpeed | null
}

/** Where a gateway reaches an engine that somebody else runs on a node. */
export type AttachedAddress = Pick<ReplicaEndpoint, 'node' | 'url' | 'fingerprint' | 'held'> & {
  readonly id: string
}

type Way = Pick<ReplicaEndpoint, 'url' | 'fingerprint' | 'held'>

export function replicaEndpoints(fleet: Fleet): ReplicaEndpoint[] {
  const wayTo = waysOf(fleet)
  return replicaViews(fleet).map((view) => {
    const { spec, node, nodeName, reported } = view
    // A planned one answers until its successor does, though its node drains.
    const { url, fingerprint, held } = wayTo(node, isDesired(fleet, view))
    return {
      replica: spec.id,
      model: spec.model,
      node: nodeName,
      url: `${url}/replicas/${encodeURIComponent(spec.id)}`,
      fingerprint,
      engine: reported?.engine ?? null,
      held: held ?? holdOf(reported),
      contextTokens: reported?.memory?.contextTokens ?? spec.contextTokens,
      measured: measuredSpeed(fleet, { node, model: spec.model, engine: reported?.engine ?? null }),
    }
  })
}

export function attachedAddresses(fleet: Fleet): AttachedAddress[] {
  const wayTo = waysOf(fleet)
  return attachedViews(fleet).map(({ id, node, nodeName }) => {
    const { url, fingerprint, held } = wayTo(node, false)
    return {
      id,
      node: nodeName,
      url: `${url}/attached/${encodeURIComponent(id)}`,
      fingerprint,
      held,
    }
  })
}

/** The newest of the same engine and model on that node, whatever build it was. */
function measuredSpeed(
  fleet: Fleet,
  of: { readonly node: NodeId; readonly model: string; readonly engine: string | null },
): MeasuredSpeed | null {
  const [newest] = Object.values(fleet.state.measurements)
    .filter(
      ({ node, model, engine }) => node === of.node && model === of.model && engine === of.engine,
    )
    .toSorted((one, other) => other.measuredAtMs - one.measuredAtMs)
  if (newest === undefined) return null
  const { promptTokensPerSecond, decodeTokensPerSecond, byConcurrency } = newest
  return { promptTokensPerSecond, decodeTokensPerSecond, byConcurrency }
}

/** While its engine listens, gateways ask that how it is; until then, its agent. */
function holdOf(reported: ReportedReplica | null): EndpointHold | null {
  switch (reported?.state) {
    case undefined:
      return { state: 'loading', reason: 'its agent was just told of it' }
    case 'pulling':
      return { state: 'loading', reason: 'its weights are on their way' }
    case 'starting':
      return { state: 'loading', reason: 'its engine is being started' }
    case 'loading':
    case 'ready':
      return null
    case 'backing-off':
    case 'crash-looping':
    case 'failed':
      return { state: 'failed', reason: reported?.detail ?? 'its engine ended' }
    case 'stopping':
    case 'stopped':
      return { state: 'draining', reason: 'it is being ended' }
  }
}

/** Names under this are promised never to be anybody's (RFC 6761). */
const nowhere = 'https://unknown.invalid'

/** How gateways come to each node; `answersWhileDraining`: what is there is used until it ends. */
function waysOf(fleet: Fleet): (node: NodeId, answersWhileDraining: boolean) => Way {
  const silenceIsOurs = isMassSilence(fleet.presences())
  return (node, answersWhileDraining) => {
    const ingress = fleet.live.get(node)?.ingress
    return {
      url: ingress === undefined ? nowhere : originOf(ingress),
      fingerprint: fleet.state.nodes[node]?.fingerprint ?? '',
      held: holdOfNode(fleet, node, { silenceIsOurs, answersWhileDraining }),
    }
  }
}

function holdOfNode(
  fleet: Fleet,
  node: NodeId,
  so: { readonly silenceIsOurs: boolean; readonly answersWhileDraining: boolean },
): EndpointHold | null {
  const { silenceIsOurs, answersWhileDraining } = so
  const name = fleet.nameOf(node)
  if (fleet.state.nodes[node]?.draining && !answersWhileDraining) {
    return { state: 'draining', reason: `its node ${name} is draining` }
  }
  if (!fleet.live.has(node)) {
    // After a start of the controller it has the time to come back that it had before: its replicas
    // have most likely run on all the while.
    return fleet.presenceOf(node) === 'lost'
      ? { state: 'failed', reason: `its node ${name} has not come back` }
      : { state: 'loading', reason: `its node ${name} has not come back yet` }
  }
  if (silenceIsOurs || fleet.presenceOf(node) === 'ready') return null
  return { state: 'draining', reason: `its node ${name} is silent` }
}
