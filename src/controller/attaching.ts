/** Engines that somebody else runs on a node become endpoints, and are left to their owners. */
import { askAgent } from '#controller/ask-agent.ts'
import { attachedName, chooseFound } from '#controller/attached-endpoints.ts'
import type { AttachedEndpoint, NodeRecord } from '#controller/cluster-state.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type { Fleet } from '#controller/fleet.ts'
import { type AttachedView, attachedViews } from '#controller/fleet-views.ts'
import type { NodeId } from '#core/ids.ts'
import { type FoundEngine, foundEngine } from '#protocol/agent-messages.ts'

/**
 * `what` is the engine, or its port; `name` null takes one from both. Rejects with
 * `ControllerRefusal`, and with `AgentFailure` when the agent has to look and cannot.
 */
export async function attachEngine(
  fleet: Fleet,
  nodeName: string,
  what: string,
  name: string | null,
): Promise<AttachedView> {
  const node = fleet.nodeNamed(nodeName)
  const choice = chooseFound(node.name, fleet.live.get(node.id)?.found ?? [], what)
  if (choice.kind === 'refused') throw new ControllerRefusal(choice.message)
  const engine = choice.kind === 'chosen' ? choice.engine : await lookAt(fleet, node, choice.port)
  const { attached, replicas } = fleet.state
  const isTaken = (id: string): boolean =>
    Object.hasOwn(attached, id) || Object.hasOwn(replicas, id)
  const known = attachedOn(fleet, node.id).find(({ port }) => port === engine.port)
  if (known !== undefined && (name === null || name === known.id)) {
    return attachedNamed(fleet, known.id)
  }
  if (known !== undefined) {
    throw new ControllerRefusal(
      `it is attached already, as ${known.id}: "motley attach --remove ${known.id}" ends that`,
    )
  }
  if (name !== null && isTaken(name)) {
    throw new ControllerRefusal(`there is an endpoint "${name}" already: give it another name`)
  }
  const id = name ?? attachedName(engine, node.name, isTaken)
  const endpoint = { id, node: node.id, port: engine.port, engine: engine.engine }
  fleet.append({ type: 'endpoint-attached', endpoint })
  tellAttached(fleet, node.id)
  fleet.endpointsChanged()
  return attachedNamed(fleet, id)
}

/** The engine goes on; gateways no longer use it. Throws `ControllerRefusal`. */
export function detachEngine(fleet: Fleet, id: string): void {
  const { node } = attachedNamed(fleet, id)
  fleet.append({ type: 'endpoint-detached', endpoint: id })
  tellAttached(fleet, node)
  fleet.endpointsChanged()
}

export function tellAttached(fleet: Fleet, node: NodeId): void {
  const endpoints = attachedOn(fleet, node).map(({ id, port }) => ({ id, port }))
  fleet.live.get(node)?.session?.send({ type: 'attached', endpoints })
}

function attachedOn(fleet: Fleet, node: NodeId): AttachedEndpoint[] {
  return Object.values(fleet.state.attached).filter((endpoint) => endpoint.node === node)
}

function attachedNamed(fleet: Fleet, id: string): AttachedView {
  const all = attachedViews(fleet)
  const found = all.find((endpoint) => endpoint.id === id)
  if (found !== undefined) return found
  throw new ControllerRefusal(
    all.length === 0
      ? `there is no attached endpoint "${id}": none is attached`
      : `there is no attached endpoint "${id}"; there is ${all.map((one) => one.id).join(', ')}`,
  )
}

async function lookAt(fleet: Fleet, node: NodeRecord, port: number): Promise<FoundEngine> {
  const session = fleet.sessionOf(node.id)
  const found = await askAgent(session, foundEngine.nullable(), 'look-at', { port })
  if (found !== null) return found
  throw new ControllerRefusal(
    `no engine answers on port ${port} of ${node.name}, on its loopback interface`,
  )
}
