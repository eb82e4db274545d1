/**
 * How either side reads the other, which may run another version of Motley. Within one protocol a
 * newer side may add fields, kinds of messages and kinds of questions: whoever does not know them
 * passes them over, so nothing may be added in this way that must not be passed over. Such a change
 * is a new number in `protocolVersions`, and then both sides say so.
 */
import {
  type AgentMessage,
  agentMessage,
  type ControllerMessage,
  controllerMessage,
  type ReplicaSpec,
  replicaSpec,
} from '#protocol/agent-messages.ts'

/** A replica that is wanted in words which this version does not know. */
export interface StrangeReplica {
  readonly id: string
  /** Where it is strange. */
  readonly why: string
}

export type HeardByAgent =
  | Exclude<ControllerMessage, { type: 'desired' }>
  | {
      readonly type: 'desired'
      readonly replicas: readonly ReplicaSpec[]
      readonly strange: readonly StrangeReplica[]
    }
  | { readonly type: 'strange-ask'; readonly request: string; readonly what: string }
  | Strange

/** A message of a kind that this version does not know. */
export interface Strange {
  readonly type: 'strange'
  readonly of: string
}

const kindsFromController = new Set(controllerMessage.options.map(({ shape }) => shape.type.value))
const kindsFromAgent = new Set(agentMessage.options.map(({ shape }) => shape.type.value))
const asks = controllerMessage.options.find(({ shape }) => shape.type.value === 'ask')

/** Throws a `ZodError` for what no version says. */
export function readControllerMessage(value: unknown): HeardByAgent {
  const strange = strangeKind(value, kindsFromController)
  if (strange !== null) return strange
  const { type, replicas, request, what } = value as Readonly<Record<string, unknown>>
  if (type === 'desired' && Array.isArray(replicas)) return desired(replicas)
  if (type === 'ask' && typeof request === 'string' && typeof what === 'string') {
    const isKnown = asks?.safeParse(value).success === true
    if (!isKnown) return { type: 'strange-ask', request, what: what.slice(0, 100) }
  }
  const message = controllerMessage.parse(value)
  // Lists of wishes have been read above; what is left of them here is none.
  return message.type === 'desired' ? { ...message, strange: [] } : message
}

/** Throws a `ZodError` for what no version says. */
export function readAgentMessage(value: unknown): AgentMessage | Strange {
  return strangeKind(value, kindsFromAgent) ?? agentMessage.parse(value)
}

/** One wish that is not understood is no reason to lose the others. */
function desired(entries: readonly unknown[]): HeardByAgent {
  const replicas: ReplicaSpec[] = []
  const strange: StrangeReplica[] = []
  for (const entry of entries) {
    const parsed = replicaSpec.safeParse(entry)
    const { id } = (entry ?? {}) as { readonly id?: unknown }
    if (parsed.success) replicas.push(parsed.data)
    else if (typeof id === 'string') {
      const where = parsed.error.issues[0]?.path.join('.') ?? ''
      strange.push({ id: id.slice(0, 100), why: where })
    } else replicaSpec.parse(entry)
  }
  return { type: 'desired', replicas, strange }
}

function strangeKind(value: unknown, known: ReadonlySet<string>): Strange | null {
  const { type } = (value ?? {}) as { readonly type?: unknown }
  if (typeof type !== 'string' || known.has(type)) return null
  // As our own kinds are written: anything else is no message of any version.
  return /^[a-z][a-z0-9-]{0,39}$/.test(type) ? { type: 'strange', of: type } : null
}
