/**
 * What an agent and its controller say to each other: JSON objects, one a line, over one TLS
 * connection that the agent opens. Both sides check what they receive against these shapes; what
 * does not match ends the connection with a reason.
 *
 *   agent       hello ──────────▶ controller      who I am, which protocols I speak
 *               ◀── welcome | refused
 *               inventory ──────▶                 devices, on joining and when they change
 *               replicas ───────▶                 all of them, on every change
 *               heartbeat ──────▶  ◀── alive
 *               ◀────── desired                   all replicas that should run, on every change
 *               ◀────── ask   reply ──▶           logs, a measurement, …
 */
import { z } from 'zod'

/** Raised when a message changes its meaning; both sides may speak several. */
export const protocolVersions = [1] as const

/** An inventory of a host with 16 GPUs and every problem described is some 100 KB. */
export const messageBytesMax = 4 * 1024 * 1024

/** How often an agent says that it lives, in milliseconds. */
export const heartbeatMs = 5_000

const name = z.string().min(1).max(100)

/** One replica that should run on a node, as the user or placement wants it. */
export const replicaSpec = z.strictObject({
  id: name,
  /** What clients call the model. */
  model: name,
  /** Where its weights come from: hf:…, https:…, file:…, node:… */
  source: z.string().min(1).max(2_000),
  /** Null: the agent takes the first engine that runs here. */
  engine: name.nullable(),
  backend: name.nullable(),
  deviceIndexes: z.array(z.int().min(0)).max(64).nullable(),
  contextTokens: z.int().positive().nullable(),
  slots: z.int().positive().max(1_024).nullable(),
  kind: z.enum(['native', 'container']),
  extraArguments: z.array(z.string().max(1_000)).max(100),
})
export type ReplicaSpec = z.infer<typeof replicaSpec>

export const replicaStates = [
  'pulling',
  'starting',
  'loading',
  'ready',
  'stopping',
  'stopped',
  'backing-off',
  'crash-looping',
  'failed',
] as const

export const reportedReplica = z.object({
  id: name,
  state: z.enum(replicaStates),
  /** What to know about the state, in one sentence; null when there is nothing. */
  detail: z.string().max(2_000).nullable(),
  engine: name.nullable(),
  backend: name.nullable(),
  pid: z.int().positive().nullable(),
  /** Of the engine on the node's loopback. */
  port: z.int().min(1).max(65_535).nullable(),
  restarts: z.int().min(0),
  /** Of weights on their way. */
  progress: z
    .object({ doneBytes: z.number().min(0), totalBytes: z.number().min(0).nullable() })
    .nullable(),
  /** What should not be so: a fallback to the CPU, a speed far under that of the card. */
  alarms: z.array(z.string().max(500)).max(20),
})
export type ReportedReplica = z.infer<typeof reportedReplica>

const requestId = z.string().max(100)

export const agentMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocols: z.array(z.int()).min(1).max(20),
    /** The secret of a join token; null for a node that joined before. */
    token: z.string().max(200).nullable(),
    name,
    version: z.string().max(100),
    /** Where gateways reach the agent's engines. */
    ingress: z.object({ host: z.string().max(300).nullable(), port: z.int().min(1).max(65_535) }),
  }),
  z.object({ type: z.literal('inventory'), inventory: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('replicas'), replicas: z.array(reportedReplica).max(1_000) }),
  z.object({ type: z.literal('heartbeat') }),
  z.object({
    type: z.literal('reply'),
    request: requestId,
    result: z.unknown(),
    /** What went wrong, for people; null when nothing did. */
    error: z.string().max(4_000).nullable(),
  }),
])
export type AgentMessage = z.infer<typeof agentMessage>

export const refusalCodes = [
  'token_unknown',
  'token_used',
  'token_expired',
  'revoked',
  'not_joined',
  'name_taken',
  'protocol',
  'malformed',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

export const controllerMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), protocol: z.int(), node: name }),
  z.object({ type: z.literal('refused'), code: z.enum(refusalCodes), message: z.string() }),
  z.object({ type: z.literal('alive') }),
  z.object({ type: z.literal('desired'), replicas: z.array(replicaSpec).max(1_000) }),
  z.object({
    type: z.literal('ask'),
    request: requestId,
    what: z.enum(['logs', 'benchmark']),
    params: z.record(z.string(), z.unknown()),
  }),
])
export type ControllerMessage = z.infer<typeof controllerMessage>
