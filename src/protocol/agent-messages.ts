/**
 * What an agent and its controller say to each other: JSON objects, one a line, over one TLS
 * connection that the agent opens. Both sides check what they receive against these shapes, as
 * read-messages.ts says; what does not match ends the connection with a reason.
 *
 *   agent       hello ──────────▶ controller      who I am, which protocols I speak
 *               ◀── welcome | refused
 *               inventory ──────▶                 devices, on joining and when they change
 *               replicas ───────▶                 all of them, on every change
 *               found ──────────▶                 engines that somebody else started there
 *               heartbeat ──────▶  ◀── alive
 *               ◀────── desired                   all replicas that should run, on every change
 *               ◀────── peers                     the other nodes, whose weights it may take
 *               ◀────── attached                  found engines that gateways may reach, all of them
 *               ◀────── ask   reply ──▶           logs, a measurement, …
 */
import { z } from 'zod'
import { modelText, nameText } from '#core/config/text.ts'
import { vendors } from '#core/device.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { kvCacheTypes, offload } from '#core/engine-memory.ts'
import { tasks } from '#core/task.ts'

/**
 * Raised when a message changes its meaning, or says something that nobody may pass over; both sides
 * may speak several.
 */
export const protocolVersions = [1] as const

/** An inventory of a host with 16 GPUs and every problem described is some 100 KB. */
export const messageBytesMax = 4 * 1024 * 1024

/** A hello is some 500 bytes; whoever has not said one yet gets no memory to fill. */
export const helloBytesMax = 16 * 1024

/** How often an agent says that it lives, in milliseconds. */
export const heartbeatMs = 5_000

const name = z.string().min(1).max(100)

/** One replica that should run on a node, as the user or placement wants it. */
export const replicaSpec = z.object({
  id: name,
  /** What clients call the model. */
  model: modelText.max(100),
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
  /** What it is asked to do; left out: to chat. */
  task: z.enum(tasks).optional(),
  /**
   * The devices that placement chose, as `nvidia-0`: these, all of them, and no others. Left out:
   * the agent chooses.
   */
  devices: z.array(name).min(1).max(64).optional(),
  /** The part of each device that it may take, for engines that take all they may. */
  memoryFraction: z.number().positive().max(1).nullable().optional(),
  /** Numbers that keys and values are kept in; left out: what the engine has by itself. */
  kvCacheType: z.enum(kvCacheTypes).optional(),
  /** What is left to the CPU; left out: nothing, or what the engine itself decides. */
  offload: offload.optional(),
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

const deviceMemoryTaken = z.object({
  vendor: z.enum(vendors),
  index: z.int().min(0).nullable(),
  name: z.string().max(200),
  takenBytes: z.int().min(0),
  /** Of these, mapped files, which the system does not count as used; left out for none. */
  mappedBytes: z.int().min(0).optional(),
  /** What its processes have by name, or how much more was used than before its start. */
  source: z.enum(['processes', 'difference']),
})
export type DeviceMemoryTaken = z.infer<typeof deviceMemoryTaken>

/** What a replica took when its model was loaded, and all that this depends on. */
const measuredMemory = z.object({
  engineVersion: z.string().max(200).nullable(),
  quantization: z.string().max(100).nullable(),
  contextTokens: z.int().positive().nullable(),
  slots: z.int().positive().nullable(),
  weightsBytes: z.int().positive().nullable(),
  devices: z.array(deviceMemoryTaken).min(1).max(64),
})
export type MeasuredMemory = z.infer<typeof measuredMemory>

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
  /** How its engine ended the last time that nobody told it to; an earlier agent does not tell. */
  lastEnd: z
    .object({
      /** By the clock of its node. */
      atMs: z.number(),
      code: z.int().nullable(),
      signal: z.string().max(20).nullable(),
      /** In one sentence. */
      meaning: z.string().max(2_000).nullable(),
    })
    .nullable()
    .optional(),
  /** Of weights on their way. */
  progress: z
    .object({ doneBytes: z.number().min(0), totalBytes: z.number().min(0).nullable() })
    .nullable(),
  /** What should not be so: a fallback to the CPU, a speed far under that of the device. */
  alarms: z.array(z.string().max(500)).max(20),
  /** Null until it was measured, which is when it becomes ready. */
  memory: measuredMemory.nullable(),
})
export type ReportedReplica = z.infer<typeof reportedReplica>

/** What `motley benchmark` wants to know of a replica. */
export const replicaSpeed = z.object({
  engine: name,
  engineVersion: z.string().max(100).nullable(),
  quantization: z.string().max(100).nullable(),
  /** Tokens a second, one request at a time. */
  promptTokensPerSecond: z.number().min(0),
  decodeTokensPerSecond: z.number().min(0),
  /** What the memory of the devices allows of these; null where it is not known. */
  boundTokensPerSecond: z.number().positive().nullable(),
  /** Decoded tokens a second in all, by requests at a time. */
  byConcurrency: z
    .array(z.object({ requests: z.int().positive(), tokensPerSecond: z.number().min(0) }))
    .max(20),
  /** Requests at a time beyond which more bring little. */
  knee: z.int().positive(),
})
export type ReplicaSpeed = z.infer<typeof replicaSpeed>

/** A page of what an engine wrote. */
export const logPage = z.object({
  text: z.string(),
  nextOffset: z.int().min(0),
  skippedBytes: z.int().min(0),
})
export type LogPage = z.infer<typeof logPage>

/** An engine that could be started on a node, in one way. */
const reportedEngine = z.object({
  engine: z.enum(engineIds),
  version: z.string().max(200).nullable(),
  backends: z.array(z.enum(backends)).max(20),
  /** That it does not tell what it is built for: the backends are all that there are builds for. */
  assumed: z.boolean().optional(),
  kinds: z
    .array(z.enum(['native', 'container']))
    .min(1)
    .max(2),
})
export type ReportedEngine = z.infer<typeof reportedEngine>

/** An engine that this version does not know cannot be planned with, and is passed over. */
const reportedEngines = z
  .array(z.unknown())
  .max(200)
  .transform((entries) =>
    entries.flatMap((entry) => {
      const parsed = reportedEngine.safeParse(entry)
      return parsed.success ? [parsed.data] : []
    }),
  )

/** What starts containers, and what it can give devices with, where it can be asked. */
const reportedContainers = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('there'), runtimes: z.array(name).max(100).nullable() }),
])
export type ReportedContainers = z.infer<typeof reportedContainers>

/** A disk with thousands of models is a mirror; placement looks for some. */
export const reportedWeightsMax = 2_000

const rate = z.number().positive().max(1e13).nullable()

/** What everybody may count on in an inventory; an agent of another version may tell more, or less. */
export const reportedInventory = z.looseObject({
  devices: z
    .array(
      z.looseObject({
        vendor: z.string().max(100),
        name: z.string().max(200),
        memoryBytes: z.number().min(0).nullable(),
      }),
    )
    .max(1_000),
  os: z.string().max(40).optional(),
  /** Null while nobody has looked. */
  containers: reportedContainers.nullable().optional(),
  engines: reportedEngines.nullable().optional(),
  /** References of weights that lie on its disk in full. */
  weights: z.array(z.string().max(2_000)).max(reportedWeightsMax).optional(),
  freeDiskBytes: z.number().min(0).max(1e18).nullable().optional(),
  /** How fast weights came into memory and over the network, as it was last seen there. */
  diskBytesPerSecond: rate.optional(),
  networkBytesPerSecond: rate.optional(),
  /** The same of all agents on one machine; left out where nobody can tell. */
  machine: z.string().max(64).optional(),
  /** That what was recorded of a machine is shown, which runs nothing. */
  isRecording: z.boolean().optional(),
})
export type ReportedInventory = z.infer<typeof reportedInventory>

/** A host name or an address as it can stand in a URL. */
export const hostText = z.string().refine((text) => {
  if (text.includes(':'))
    return /^[0-9A-Fa-f:.]{2,45}$/.test(text) && URL.canParse(`http://[${text}]`)
  if (/^[\d.]+$/.test(text)) return URL.canParse(`http://${text}`) && text.split('.').length === 4
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(text)
})
/** Ollama with hundreds of models is a collection; nobody reads more of its list. */
export const foundModelsMax = 200

const port = z.int().min(1).max(65_535)

/** An engine on a node that its agent did not start. */
export const foundEngine = z.object({
  /** On the node's loopback. */
  port,
  engine: name,
  version: z.string().max(200).nullable(),
  models: z.array(z.string().max(500)).max(foundModelsMax),
  state: z.enum(['ready', 'loading', 'unhealthy']),
  /** Why it is not ready; null when it is. */
  detail: z.string().max(2_000).nullable(),
})
export type FoundEngine = z.infer<typeof foundEngine>

/** A found engine that gateways reach through the agent, under a name. */
const attachedPort = z.object({ id: name, port })
export type AttachedPort = z.infer<typeof attachedPort>

const requestId = z.string().max(100)

export const agentMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    protocols: z.array(z.int()).min(1).max(20),
    /** The secret of a join token; null for a node that joined before. */
    token: z.string().max(200).nullable(),
    name: nameText,
    version: z.string().max(100),
    /** Of this run of the agent: tells a copy of its identity from its own return. */
    instance: z.string().min(8).max(100),
    /** Where gateways reach the agent's engines; host null: where this connection comes from. */
    ingress: z.object({ host: hostText.nullable(), port: z.int().min(1).max(65_535) }),
  }),
  z.object({ type: z.literal('inventory'), inventory: reportedInventory }),
  z.object({ type: z.literal('replicas'), replicas: z.array(reportedReplica).max(1_000) }),
  z.object({ type: z.literal('found'), engines: z.array(foundEngine).max(200) }),
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
  /** An agent that lives has this identity already. */
  'identity_in_use',
  /** Not now: the controller cannot write, say. */
  'unavailable',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

export const controllerMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('welcome'),
    protocol: z.int(),
    node: name,
    /** What the node joined with, and is called. */
    name: nameText,
  }),
  z.object({
    type: z.literal('refused'),
    // The words are for people; a reason of a newer controller is tried again as any other.
    code: z.enum(refusalCodes).catch('unavailable'),
    message: z.string(),
  }),
  z.object({ type: z.literal('alive') }),
  z.object({
    type: z.literal('peers'),
    peers: z
      .array(
        z.object({
          /** Of the ports that agents let each other in by, without a path. */
          url: z.string().max(400),
          /** Of the certificate that answers there, and that the same node dials with. */
          fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
        }),
      )
      .max(10_000),
  }),
  z.object({ type: z.literal('desired'), replicas: z.array(replicaSpec).max(1_000) }),
  z.object({ type: z.literal('attached'), endpoints: z.array(attachedPort).max(1_000) }),
  z.object({
    type: z.literal('ask'),
    request: requestId,
    // look-at: which engine is at a port; inspect: what weights are, from their headers
    what: z.enum(['logs', 'benchmark', 'look-at', 'inspect']),
    params: z.record(z.string(), z.unknown()),
  }),
])
export type AgentPeer = Extract<
  z.infer<typeof controllerMessage>,
  { type: 'peers' }
>['peers'][number]
export type ControllerMessage = z.infer<typeof controllerMessage>
