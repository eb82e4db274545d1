/** What should run on which node: wished for by people, told to the agents that make it so. */
import { randomBytes } from 'node:crypto'
import { askAgent } from '#controller/ask-agent.ts'
import type { WantedReplica } from '#controller/cluster-state.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type { Fleet } from '#controller/fleet.ts'
import { factsOf } from '#controller/reconcile/plan-input.ts'
import type { NodeId } from '#core/ids.ts'
import { contextBeyondTraining } from '#placement/context-beyond-training.ts'
import { recordingBlocker } from '#placement/planner/checks/recording.ts'
import {
  type LogPage,
  logPage,
  type ReplicaSpec,
  type ReportedReplica,
} from '#protocol/agent-messages.ts'

/**
 * By its id, by any beginning of it that no other has, or as tables shorten it, with "…" inside.
 * Throws `ControllerRefusal` when none or several are meant.
 */
export function wantedReplica(fleet: Fleet, id: string): WantedReplica {
  const { replicas } = fleet.state
  const [start = '', end = ''] = id.split('…')
  const there = Object.keys(replicas)
  const meant = there.includes(id)
    ? [id]
    : there.filter((one) => start !== '' && one.startsWith(start) && one.endsWith(end))
  const [only = ''] = meant
  const found = replicas[only]
  if (found !== undefined && meant.length === 1) return found
  throw new ControllerRefusal(
    meant.length > 1
      ? `"${id}" may be any of ${meant.join(', ')}: write more of it`
      : there.length === 0
        ? `there is no replica "${id}": none was started`
        : `there is no replica "${id}"; there is ${there.join(', ')}`,
  )
}

/**
 * `askedWith`: the name of the key, null where none was needed. Throws `ControllerRefusal` when the
 * node is unknown, takes nothing or is a recording, and where more context is wished for than the
 * model was trained for, as far as anybody has read what its weights say.
 */
export function wantReplica(
  fleet: Fleet,
  nodeName: string,
  spec: Omit<ReplicaSpec, 'id'>,
  askedWith: string | null,
): ReplicaSpec {
  const node = fleet.nodeNamed(nodeName)
  if (node.draining) {
    throw new ControllerRefusal(
      `${node.name} is draining and takes nothing new: "motley drain ${node.name} --undo" ends that`,
    )
  }
  if (fleet.live.get(node.id)?.inventory?.isRecording === true) {
    const { what, unlockedBy } = recordingBlocker(node.name)
    throw new ControllerRefusal(`${what}: start ${unlockedBy}`)
  }
  const { contextTokens, source } = spec
  const trainedTokens = factsOf(source, fleet.state)?.contextTokens ?? null
  const beyond = contextBeyondTraining(contextTokens, trainedTokens)
  if (beyond !== null)
    throw new ControllerRefusal(`context: ${beyond.what}; take ${beyond.unlockedBy}`)
  const id = `${idText(spec.model)}-${randomBytes(3).toString('hex')}`
  const full: ReplicaSpec = { ...spec, id }
  fleet.append({ type: 'replica-wanted', node: node.id, spec: full, askedWith })
  tellDesired(fleet, node.id)
  fleet.endpointsChanged()
  return full
}

/** Returns the id of what is ended. Throws `ControllerRefusal` when there is no such replica. */
export function unwantReplica(fleet: Fleet, id: string): string {
  const { node, spec } = wantedReplica(fleet, id)
  fleet.append({ type: 'replica-unwanted', replica: spec.id })
  // Gateways first: they send it nothing new, and the agent lets it finish what it has.
  fleet.endpointsChanged()
  tellDesired(fleet, node)
  return spec.id
}

/** A node that drains keeps its wishes; see {@link isDesired}. Throws `ControllerRefusal`. */
export function setDraining(fleet: Fleet, nodeName: string, draining: boolean): void {
  const node = fleet.nodeNamed(nodeName)
  if (node.draining === draining) return
  fleet.append({ type: 'node-draining', node: node.id, draining })
  fleet.changed(`${node.name} ${draining ? 'drains' : 'is used again'}`)
  fleet.endpointsChanged()
  tellDesired(fleet, node.id)
}

/**
 * Where a node drains, what somebody started by hand ends at once. What was planned ends when its
 * plan says so, which is when another one answers in its stead, if there is a place for one.
 */
export function isDesired(
  fleet: Fleet,
  { node, placed }: Pick<WantedReplica, 'node' | 'placed'>,
): boolean {
  return placed != null || fleet.state.nodes[node]?.draining !== true
}

export function tellDesired(fleet: Fleet, node: NodeId): void {
  const replicas = Object.values(fleet.state.replicas)
    .filter((replica) => replica.node === node && isDesired(fleet, replica))
    .map(({ spec }) => spec)
  fleet.live.get(node)?.session?.send({ type: 'desired', replicas })
}

/**
 * A page of what its engine wrote, after an offset; null for the newest. Rejects with
 * `ControllerRefusal` where no engine has run yet.
 */
export async function readReplicaLog(
  fleet: Fleet,
  id: string,
  after: number | null,
): Promise<LogPage> {
  const { node, spec } = wantedReplica(fleet, id)
  const session = fleet.sessionOf(node)
  const reported = fleet.live.get(node)?.replicas.find((one) => one.id === spec.id) ?? null
  // Until one is chosen there is no log.
  if (reported === null || reported.engine === null) {
    throw new ControllerRefusal(
      `${spec.id} has written nothing: ${notStartedText(fleet, node, reported)}`,
    )
  }
  return await askAgent(session, logPage, 'logs', { replica: spec.id, after })
}

function notStartedText(fleet: Fleet, node: NodeId, reported: ReportedReplica | null): string {
  if (fleet.state.nodes[node]?.draining) {
    return `its node ${fleet.nameOf(node)} is draining and runs nothing`
  }
  if (reported === null) return `the agent of ${fleet.nameOf(node)} was just told to start it`
  if (reported.state === 'pulling') return 'its weights are on their way'
  return `it never started${reported.detail === null ? '' : `: ${reported.detail}`}`
}

/** What of a model's name can stand in a path, a container's name and a file's. */
function idText(model: string): string {
  const text = model
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  return text.slice(0, 40) || 'replica'
}
