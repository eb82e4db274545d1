/** Who is let in: what becomes of the hello of an agent, and of a node that is no longer wanted. */
import { randomBytes } from 'node:crypto'
import type { AgentSession } from '#controller/agent-session.ts'
import type { Fleet } from '#controller/fleet.ts'
import { digestOf, newSecret, tokenRefusal } from '#controller/join-token.ts'
import { tellPeers } from '#controller/peer-news.ts'
import { suspectAfterMs } from '#controller/presence.ts'
import { type NodeId, nodeId } from '#core/ids.ts'
import { type AgentMessage, protocolVersions, type RefusalCode } from '#protocol/agent-messages.ts'

export type Hello = Extract<AgentMessage, { type: 'hello' }>

export interface HelloRefusal {
  readonly code: RefusalCode
  readonly message: string
}

export type HelloOutcome =
  | { readonly kind: 'taken'; readonly node: NodeId; readonly protocol: number }
  | { readonly kind: 'refused'; readonly refusal: HelloRefusal }

/** A token that lets one machine in, until it expires; its secret is told this once. */
export function createSecret(
  fleet: Fleet,
  validMs: number,
): { readonly secret: string; readonly expiresAtMs: number } {
  const secret = newSecret()
  const expiresAtMs = Math.round(fleet.clock.nowMs() + validMs)
  fleet.append({ type: 'token-created', digest: digestOf(secret), expiresAtMs })
  return { secret, expiresAtMs }
}

/** Takes an agent as the node that it is, or with its token as a new one. Throws `StoreError`. */
export function takeHello(fleet: Fleet, hello: Hello, session: AgentSession): HelloOutcome {
  const protocol = protocolVersions.findLast((version) => hello.protocols.includes(version))
  if (protocol === undefined) {
    return refused(
      'protocol',
      `This controller speaks protocol ${protocolVersions.join(', ')} and the agent ${hello.protocols.join(', ')}: run the same version of Motley on both.`,
    )
  }
  if (session.fingerprint === '') return refused('not_joined', 'An agent shows a certificate.')
  const known = Object.values(fleet.state.nodes).find(
    ({ fingerprint }) => fingerprint === session.fingerprint,
  )
  if (known?.revoked) return refused('revoked', refusalTexts.revoked)
  if (known !== undefined) {
    const copy = copyRefusal(fleet, known.id, hello, session)
    if (copy !== null) return { kind: 'refused', refusal: copy }
    return { kind: 'taken', node: known.id, protocol }
  }
  const node = nodeId(`node-${randomBytes(4).toString('hex')}`)
  const refusal = join(fleet, node, hello, session)
  return refusal === null ? { kind: 'taken', node, protocol } : { kind: 'refused', refusal }
}

function join(
  fleet: Fleet,
  node: NodeId,
  { name, token }: Hello,
  { fingerprint }: AgentSession,
): HelloRefusal | null {
  if (token === null) return { code: 'not_joined', message: refusalTexts.not_joined }
  const code = tokenRefusal(fleet.state, token, fleet.clock.nowMs())
  if (code !== null) return { code, message: refusalTexts[code] }
  if (fleet.nodes().some((other) => name === other.name || name === other.id)) {
    return {
      code: 'name_taken',
      message: `A node is called "${name}" already: give this one another name with --name.`,
    }
  }
  fleet.append({ type: 'node-joined', node, name, fingerprint, tokenDigest: digestOf(token) })
  fleet.log(`node "${name}" joined`)
  return null
}

/** Of a second machine with the identity of one that is there; null for the one that returns. */
function copyRefusal(
  fleet: Fleet,
  node: NodeId,
  { instance }: Hello,
  { remoteAddress }: AgentSession,
): HelloRefusal | null {
  const live = fleet.live.get(node)
  if (live === undefined || live.session === null || live.instance === instance) return null
  if (fleet.clock.nowMs() - live.heardAtMs >= suspectAfterMs) return null
  const there = live.session.remoteAddress
  fleet.log(
    `node "${fleet.nameOf(node)}" is there twice: from ${there}, and refused from ${remoteAddress}`,
  )
  return {
    code: 'identity_in_use',
    message: `An agent with this identity is connected from ${there} already. If this machine is a copy of that one, remove "identity.json" of the agent here and join with a token of its own.`,
  }
}

/** The node is out at once, and may come back with a new token only. Throws `ControllerRefusal`. */
export function revokeNode(fleet: Fleet, name: string): void {
  const node = fleet.nodeNamed(name)
  fleet.append({ type: 'node-revoked', node: node.id })
  fleet.live.get(node.id)?.session?.refuse('revoked', refusalTexts.revoked)
  fleet.live.delete(node.id)
  tellPeers(fleet)
  fleet.changed(`${node.name} was revoked`)
  fleet.endpointsChanged()
}

function refused(code: RefusalCode, message: string): HelloOutcome {
  return { kind: 'refused', refusal: { code, message } }
}

const refusalTexts = {
  token_unknown:
    'This token is not known here: copy it again, or make another with "motley token create".',
  token_used:
    'This token was used already, and each lets one machine in: make another with "motley token create".',
  token_expired: 'This token has expired: make another with "motley token create".',
  revoked:
    'This node was revoked: to join again, remove "agent/identity.json" from its data directory and use a new token.',
  not_joined:
    'This machine has not joined: start the agent with --join and a token, from "motley token create".',
} as const satisfies Partial<Record<RefusalCode, string>>
