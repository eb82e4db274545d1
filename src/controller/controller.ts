/**
 * The controller: who belongs to the fleet, what each machine has, what should run where. It
 * remembers the first and the last of these as events; agents tell the rest whenever they connect,
 * so that neither a restart here nor one there disturbs a replica that runs.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { z } from 'zod'
import { AgentFailure, AgentSession } from '#controller/agent-session.ts'
import {
  attachedName,
  chooseFound,
  type FoundView,
  withAttached,
} from '#controller/attached-endpoints.ts'
import {
  type AttachedEndpoint,
  type ClusterState,
  type MemoryMeasurement,
  memoryKey,
  type NodeRecord,
  type SpeedMeasurement,
} from '#controller/cluster-state.ts'
import { EventStore } from '#controller/event-store.ts'
import { isLastingChange } from '#controller/inventory-change.ts'
import { digestOf, newSecret, tokenRefusal } from '#controller/join-token.ts'
import {
  isMassLoss,
  isMassSilence,
  type Presence,
  presenceOf,
  suspectAfterMs,
} from '#controller/presence.ts'
import { type NodeId, nodeId } from '#core/ids.ts'
import {
  type AgentMessage,
  type FoundEngine,
  foundEngine,
  type LogPage,
  logPage,
  protocolVersions,
  type RefusalCode,
  type ReplicaSpec,
  type ReportedInventory,
  type ReportedReplica,
  replicaSpeed,
} from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'
import { peerTlsOptions } from '#std/peer-tls.ts'
import type { Certificate } from '#std/self-signed-certificate.ts'

export interface ControllerOptions {
  /** Where the event log lies. */
  readonly directory: string
  readonly certificate: Certificate
  /** For agents; port 0 takes any. */
  readonly host: string
  readonly port: number
  readonly clock: Clock
  readonly log: (line: string) => void
}

/** One node, as the controller knows it now. */
export interface NodeView extends NodeRecord {
  readonly presence: Presence
  /** Milliseconds since it was heard; null when it was not since the controller started. */
  readonly silentMs: number | null
  readonly version: string | null
  readonly address: string | null
  /** Engines there that somebody else started. */
  readonly found: readonly FoundView[]
}

/** An engine of somebody else that gateways use. */
export interface AttachedView extends AttachedEndpoint {
  readonly nodeName: string
  readonly presence: Presence
  /** Null while its agent sees no engine there. */
  readonly found: FoundEngine | null
}

export interface ReplicaView {
  readonly spec: ReplicaSpec
  readonly node: NodeId
  readonly nodeName: string
  /** Null when its agent has not told of it yet. */
  readonly reported: ReportedReplica | null
  readonly presence: Presence
  /** What it took when it was loaded last; null while nobody has measured it. */
  readonly memory: MemoryMeasurement | null
}

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

interface Way {
  readonly url: string
  readonly fingerprint: string
  readonly accepting: boolean
}

/** Where a gateway reaches an engine that somebody else runs on a node. */
export type AttachedAddress = Pick<
  ReplicaEndpoint,
  'node' | 'url' | 'fingerprint' | 'accepting'
> & {
  readonly id: string
}

/** A wish that cannot be granted, for people. */
export class ControllerRefusal extends Error {}

interface LiveNode {
  session: AgentSession | null
  heardAtMs: number
  version: string
  instance: string
  /** As it was last told, what passes included; null when it was not since it connected. */
  inventory: ReportedInventory | null
  ingress: { readonly host: string; readonly port: number }
  replicas: readonly ReportedReplica[]
  found: readonly FoundEngine[]
}

/** Who says nothing within this, connected to the port of agents, speaks no TLS. */
const handshakeMsMax = 10_000

/** What is being said when the controller closes is a line; after this nobody is waited for. */
const closeMsMax = 500

/** Well below the seconds that presence is measured in. */
const presenceCheckMs = 1_000

/** Rejects with the system's error when the address cannot be had, and as `EventStore` throws. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const store = new EventStore(options.directory)
  const controller = new Controller(options, store)
  try {
    await controller.listen()
  } catch (error) {
    store.close()
    throw error
  }
  return controller
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #store: EventStore
  readonly #startedAtMs: number
  readonly #live = new Map<NodeId, LiveNode>()
  readonly #sessions = new Set<AgentSession>()
  readonly #connections = new Set<Socket>()
  readonly #measured = new Set<string>()
  readonly #server
  #presences = new Map<NodeId, Presence>()
  #cancelPresenceCheck: () => void = () => {}
  #endpointsChanged: () => void = () => {}

  constructor(options: ControllerOptions, store: EventStore) {
    this.#options = options
    this.#store = store
    this.#startedAtMs = options.clock.nowMs()
    this.#server = createServer(
      { ...peerTlsOptions(options.certificate), handshakeTimeout: handshakeMsMax },
      (socket) => this.#greet(socket),
    )
    this.#server.on('connection', (socket) => {
      this.#connections.add(socket)
      socket.once('close', () => this.#connections.delete(socket))
    })
    // A client that is no TLS client, or goes away in the handshake.
    this.#server.on('tlsClientError', () => {})
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#options.log(`controller: ${error.message}`))
        this.#checkPresence()
        resolve()
      })
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get host(): string {
    return this.#options.host
  }

  get certificate(): Certificate {
    return this.#options.certificate
  }

  get state(): ClusterState {
    return this.#store.state
  }

  /** Called when replicas that gateways should know may have come, gone or moved, and once now. */
  onEndpointsChanged(listener: () => void): void {
    this.#endpointsChanged = listener
    listener()
  }

  /** A token that lets one machine in, until it expires. */
  createToken(validMs: number): { readonly token: string; readonly expiresAtMs: number } {
    const nowMs = this.#options.clock.nowMs()
    const secret = newSecret()
    const expiresAtMs = Math.round(nowMs + validMs)
    this.#store.append(nowMs, { type: 'token-created', digest: digestOf(secret), expiresAtMs })
    return { token: `${secret}.${this.#options.certificate.fingerprint}`, expiresAtMs }
  }

  nodes(): NodeView[] {
    const nowMs = this.#options.clock.nowMs()
    return Object.values(this.state.nodes)
      .filter(({ revoked }) => !revoked)
      .map((node) => {
        const live = this.#live.get(node.id)
        return {
          ...node,
          inventory: live?.inventory ?? node.inventory,
          presence: this.#presence(node.id, nowMs),
          silentMs: live === undefined ? null : Math.max(0, nowMs - live.heardAtMs),
          version: live?.version ?? null,
          address:
            live === undefined ? null : `${hostInUrl(live.ingress.host)}:${live.ingress.port}`,
          found: withAttached(live?.found ?? [], this.#attachedOf(node.id)),
        }
      })
  }

  replicas(): ReplicaView[] {
    const nowMs = this.#options.clock.nowMs()
    return Object.values(this.state.replicas).map(({ spec, node }) => ({
      spec,
      node,
      nodeName: this.state.nodes[node]?.name ?? node,
      reported: this.#live.get(node)?.replicas.find(({ id }) => id === spec.id) ?? null,
      presence: this.#presence(node, nowMs),
      memory:
        Object.values(this.state.memory)
          .filter(({ replica }) => replica === spec.id)
          .toSorted((one, other) => other.measuredAtMs - one.measuredAtMs)[0] ?? null,
    }))
  }

  /** Whether so much was lost at once that nothing is deleted. */
  get isFrozen(): boolean {
    return isMassLoss(this.nodes().map(({ presence }) => presence))
  }

  /** Replicas as gateways reach them; those on silent nodes too, which take nothing new. */
  endpoints(): ReplicaEndpoint[] {
    const wayTo = this.#ways()
    return this.replicas().flatMap(({ spec, node, nodeName, reported }) => {
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

  attached(): AttachedView[] {
    const nowMs = this.#options.clock.nowMs()
    return Object.values(this.state.attached).map((endpoint) => ({
      ...endpoint,
      nodeName: this.state.nodes[endpoint.node]?.name ?? endpoint.node,
      presence: this.#presence(endpoint.node, nowMs),
      found:
        this.#live.get(endpoint.node)?.found.find(({ port }) => port === endpoint.port) ?? null,
    }))
  }

  attachedAddresses(): AttachedAddress[] {
    const wayTo = this.#ways()
    return this.attached().flatMap(({ id, node, nodeName }) => {
      const way = wayTo(node)
      if (way === null) return []
      const url = `${way.url}/attached/${encodeURIComponent(id)}`
      const { fingerprint, accepting } = way
      return [{ id, node: nodeName, url, fingerprint, accepting }]
    })
  }

  /**
   * Makes an engine that runs on a node an endpoint, and leaves the engine to its owner. `what` is
   * the engine, or its port; `name` null takes one from both. Rejects with `ControllerRefusal`, and
   * with `AgentFailure` when the agent has to look and cannot.
   */
  async attach(nodeName: string, what: string, name: string | null): Promise<AttachedView> {
    const node = this.#nodeNamed(nodeName)
    const choice = chooseFound(node.name, this.#live.get(node.id)?.found ?? [], what)
    if (choice.kind === 'refused') throw new ControllerRefusal(choice.message)
    const engine = choice.kind === 'chosen' ? choice.engine : await this.#lookAt(node, choice.port)
    const isTaken = (id: string): boolean =>
      Object.hasOwn(this.state.attached, id) || Object.hasOwn(this.state.replicas, id)
    const known = this.#attachedOf(node.id).find(({ port }) => port === engine.port)
    if (known !== undefined && (name === null || name === known.id))
      return this.#attachedAs(known.id)
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
    this.#append({ type: 'endpoint-attached', endpoint })
    this.#tellAttached(node.id)
    this.#endpointsChanged()
    return this.#attachedAs(id)
  }

  /** The engine goes on; gateways no longer use it. Throws `ControllerRefusal`. */
  detach(id: string): void {
    const { node } = this.#attachedAs(id)
    this.#append({ type: 'endpoint-detached', endpoint: id })
    this.#tellAttached(node)
    this.#endpointsChanged()
  }

  /** Throws `ControllerRefusal` when the node is unknown or takes nothing. */
  startReplica(nodeName: string, spec: Omit<ReplicaSpec, 'id'>): ReplicaSpec {
    const node = this.#nodeNamed(nodeName)
    if (node.draining) {
      throw new ControllerRefusal(
        `${node.name} is draining and takes nothing new: "motley drain ${node.name} --undo" ends that`,
      )
    }
    const id = `${idText(spec.model)}-${randomBytes(3).toString('hex')}`
    const full: ReplicaSpec = { ...spec, id }
    this.#append({ type: 'replica-wanted', node: node.id, spec: full })
    this.#tellDesired(node.id)
    this.#endpointsChanged()
    return full
  }

  /** Throws `ControllerRefusal` when there is no such replica. */
  replica(id: string): ReplicaView {
    this.#replica(id)
    return this.replicas().find(({ spec }) => spec.id === id) as ReplicaView
  }

  /** Throws `ControllerRefusal` when there is no such replica. */
  stopReplica(id: string): void {
    const replica = this.#replica(id)
    this.#append({ type: 'replica-unwanted', replica: id })
    // Gateways first: they send it nothing new, and the agent lets it finish what it has.
    this.#endpointsChanged()
    this.#tellDesired(replica.node)
  }

  setDraining(nodeName: string, draining: boolean): void {
    const node = this.#nodeNamed(nodeName)
    if (node.draining === draining) return
    this.#append({ type: 'node-draining', node: node.id, draining })
    this.#endpointsChanged()
    this.#tellDesired(node.id)
  }

  /** The node is out at once, and may come back with a new token only. */
  revoke(nodeName: string): void {
    const node = this.#nodeNamed(nodeName)
    this.#append({ type: 'node-revoked', node: node.id })
    this.#live.get(node.id)?.session?.refuse('revoked', 'This node was revoked.')
    this.#live.delete(node.id)
    this.#tellPeers()
    this.#endpointsChanged()
  }

  /** A page of what its engine wrote, after an offset; null for the newest. */
  async logs(id: string, after: number | null): Promise<LogPage> {
    const session = this.#sessionOf(this.#replica(id).node)
    return understood(logPage, await session.ask('logs', { replica: id, after }))
  }

  /** Measures a replica and keeps the result; takes a minute or two. */
  async benchmark(id: string): Promise<{
    readonly now: SpeedMeasurement
    readonly before: SpeedMeasurement | null
  }> {
    const { node, spec } = this.#replica(id)
    const session = this.#sessionOf(node)
    const reported = this.#live.get(node)?.replicas.find((one) => one.id === id)
    if (reported?.state !== 'ready') {
      const why = reported?.detail == null ? '' : `: ${reported.detail}`
      throw new ControllerRefusal(
        `${id} is ${reported?.state ?? 'not known to its agent'}, and only what is ready can be measured${why}`,
      )
    }
    if (this.#measured.has(node)) {
      throw new ControllerRefusal(
        'this node is being measured already: two at a time would measure each other',
      )
    }
    this.#measured.add(node)
    let found: unknown
    try {
      found = await session.ask('benchmark', { replica: id }, benchmarkWithinMs)
    } finally {
      this.#measured.delete(node)
    }
    const now: SpeedMeasurement = {
      ...understood(replicaSpeed, found),
      node,
      model: spec.model,
      measuredAtMs: Math.round(this.#options.clock.nowMs()),
    }
    const before = Object.values(this.state.measurements)
      .filter(
        (one) =>
          one.node === now.node &&
          one.engine === now.engine &&
          one.model === now.model &&
          one.quantization === now.quantization,
      )
      .toSorted((one, other) => other.measuredAtMs - one.measuredAtMs)[0]
    this.#append({ type: 'speed-measured', measurement: now })
    return { now, before: before ?? null }
  }

  async close(): Promise<void> {
    this.#cancelPresenceCheck()
    this.#endpointsChanged = () => {}
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const session of this.#sessions) session.end()
    const cancel = this.#options.clock.schedule(closeMsMax, () => {
      for (const socket of this.#connections) socket.destroy()
    })
    await closed
    cancel()
    this.#store.close()
  }

  #greet(socket: TLSSocket): void {
    const session = new AgentSession({
      socket,
      clock: this.#options.clock,
      onHello: (hello, from) => this.#onHello(hello, from),
      onMessage: (message, from) => this.#onMessage(message, from),
      onFault: (error) => this.#options.log(`controller: ${(error as Error).message}`),
      onClose: (from) => {
        this.#sessions.delete(from)
        const live = this.#liveOf(from)
        if (live !== null) live.session = null
      },
    })
    this.#sessions.add(session)
  }

  #onHello(
    hello: Extract<AgentMessage, { type: 'hello' }>,
    session: AgentSession,
  ): { readonly code: RefusalCode; readonly message: string } | null {
    const nowMs = this.#options.clock.nowMs()
    const protocol = protocolVersions.findLast((version) => hello.protocols.includes(version))
    if (protocol === undefined) {
      return {
        code: 'protocol',
        message: `This controller speaks protocol ${protocolVersions.join(', ')} and the agent ${hello.protocols.join(', ')}: run the same version of Motley on both.`,
      }
    }
    if (session.fingerprint === '') {
      return { code: 'not_joined', message: 'An agent shows a certificate.' }
    }
    const known = Object.values(this.state.nodes).find(
      ({ fingerprint }) => fingerprint === session.fingerprint,
    )
    if (known?.revoked) return { code: 'revoked', message: refusalText('revoked') }
    let node = known?.id
    if (node === undefined) {
      if (hello.token === null) return { code: 'not_joined', message: refusalText('not_joined') }
      const refusal = tokenRefusal(this.state, hello.token, nowMs)
      if (refusal !== null) return { code: refusal, message: refusalText(refusal) }
      const taken = Object.values(this.state.nodes).some(
        ({ id, name, revoked }) => (name === hello.name || id === hello.name) && !revoked,
      )
      if (taken) {
        return {
          code: 'name_taken',
          message: `A node is called "${hello.name}" already: give this one another name with --name.`,
        }
      }
      node = nodeId(`node-${randomBytes(4).toString('hex')}`)
      this.#append({
        type: 'node-joined',
        node,
        name: hello.name,
        fingerprint: session.fingerprint,
        tokenDigest: digestOf(hello.token),
      })
      this.#options.log(`node "${hello.name}" joined`)
    }
    const before = this.#live.get(node)
    const { remoteAddress } = session
    if (
      before?.session != null &&
      before.instance !== hello.instance &&
      nowMs - before.heardAtMs < suspectAfterMs
    ) {
      const name = this.state.nodes[node]?.name
      const there = before.session.remoteAddress
      this.#options.log(
        `node "${name}" is there twice: from ${there}, and refused from ${remoteAddress}`,
      )
      return {
        code: 'identity_in_use',
        message: `An agent with this identity is connected from ${there} already. If this machine is a copy of that one, remove "identity.json" of the agent here and join with a token of its own.`,
      }
    }
    before?.session?.end()
    this.#live.set(node, {
      session,
      heardAtMs: nowMs,
      version: hello.version,
      instance: hello.instance,
      inventory: before?.inventory ?? null,
      ingress: {
        host: hello.ingress.host ?? remoteAddress.replace(/^::ffff:/, ''),
        port: hello.ingress.port,
      },
      replicas: before?.replicas ?? [],
      found: before?.found ?? [],
    })
    session.send({ type: 'welcome', protocol, node })
    this.#tellDesired(node)
    this.#tellPeers()
    this.#tellAttached(node)
    this.#endpointsChanged()
    return null
  }

  #onMessage(message: AgentMessage, session: AgentSession): void {
    const live = this.#liveOf(session)
    if (live === null) return
    live.heardAtMs = this.#options.clock.nowMs()
    switch (message.type) {
      case 'heartbeat':
        session.send({ type: 'alive' })
        break
      case 'inventory': {
        const node = this.#nodeOf(session)
        live.inventory = message.inventory
        if (node !== null && isLastingChange(node.inventory, message.inventory)) {
          this.#append({ type: 'inventory-changed', node: node.id, inventory: message.inventory })
        }
        break
      }
      case 'replicas':
        live.replicas = message.replicas
        this.#keepMemories(session, message.replicas)
        this.#endpointsChanged()
        break
      case 'found':
        live.found = message.engines
        break
      case 'hello':
      case 'reply':
        break
    }
  }

  #keepMemories(session: AgentSession, replicas: readonly ReportedReplica[]): void {
    const teller = this.#nodeOf(session)
    if (teller === null) return
    for (const replica of replicas) this.#keepMemory(teller.id, replica)
  }

  /** Agents tell it again with every change of any replica: only what is new is an event. */
  #keepMemory(teller: NodeId, { id, engine, backend, memory }: ReportedReplica): void {
    const wanted = Object.hasOwn(this.state.replicas, id) ? this.state.replicas[id] : undefined
    if (wanted?.node !== teller || engine === null || memory === null) return
    const { node, spec } = wanted
    const found = { ...memory, node, replica: id, engine, backend, model: spec.model }
    const known = this.state.memory[memoryKey(found)]
    const isKnown =
      known?.replica === id && JSON.stringify(known.devices) === JSON.stringify(memory.devices)
    if (isKnown) return
    const measuredAtMs = Math.round(this.#options.clock.nowMs())
    this.#append({ type: 'memory-measured', measurement: { ...found, measuredAtMs } })
  }

  /** How gateways come to each node; null where they cannot, or should not. */
  #ways(): (node: NodeId) => Way | null {
    const silenceIsOurs = isMassSilence(this.nodes().map(({ presence }) => presence))
    const nowMs = this.#options.clock.nowMs()
    return (node) => {
      const record = this.state.nodes[node]
      const ingress = this.#live.get(node)?.ingress
      if (record === undefined || ingress === undefined || record.draining) return null
      // A model on a silent node is not there for now, which is not the same as not known.
      const accepting = silenceIsOurs || this.#presence(node, nowMs) === 'ready'
      return { url: originOf(ingress), fingerprint: record.fingerprint, accepting }
    }
  }

  #attachedOf(node: NodeId): AttachedEndpoint[] {
    return Object.values(this.state.attached).filter((endpoint) => endpoint.node === node)
  }

  #attachedAs(id: string): AttachedView {
    const all = this.attached()
    const found = all.find((endpoint) => endpoint.id === id)
    if (found !== undefined) return found
    throw new ControllerRefusal(
      all.length === 0
        ? `there is no attached endpoint "${id}": none is attached`
        : `there is no attached endpoint "${id}"; there is ${all.map((one) => one.id).join(', ')}`,
    )
  }

  async #lookAt(node: NodeRecord, port: number): Promise<FoundEngine> {
    const found = await this.#sessionOf(node.id).ask('look-at', { port })
    if (found === null) {
      throw new ControllerRefusal(
        `no engine answers on port ${port} of ${node.name}, on its loopback interface`,
      )
    }
    const engine = foundEngine.safeParse(found)
    if (engine.success) return engine.data
    throw new ControllerRefusal(`the agent of ${node.name} does not say what is on port ${port}`)
  }

  #tellAttached(node: NodeId): void {
    const endpoints = this.#attachedOf(node).map(({ id, port }) => ({ id, port }))
    this.#live.get(node)?.session?.send({ type: 'attached', endpoints })
  }

  #tellDesired(node: NodeId): void {
    const draining = this.state.nodes[node]?.draining ?? false
    const replicas = Object.values(this.state.replicas)
      .filter((replica) => replica.node === node && !draining)
      .map(({ spec }) => spec)
    this.#live.get(node)?.session?.send({ type: 'desired', replicas })
  }

  /** Each node is told of the others, whose weights it may take and who may take its own. */
  #tellPeers(): void {
    const peers = Object.values(this.state.nodes).flatMap(({ id, fingerprint, revoked }) => {
      const ingress = this.#live.get(id)?.ingress ?? null
      return revoked || ingress === null ? [] : [{ id, ingress, fingerprint }]
    })
    for (const [id, { session, ingress }] of this.#live) {
      // An address that means "this machine" means another one elsewhere.
      const local = ingress !== null && isLoopback(ingress.host)
      const others = peers
        .filter((peer) => peer.id !== id && (local || !isLoopback(peer.ingress.host)))
        .map((peer) => ({ url: originOf(peer.ingress), fingerprint: peer.fingerprint }))
      session?.send({ type: 'peers', peers: others })
    }
  }

  #append(
    ...events: Parameters<EventStore['append']> extends [number, ...infer Events] ? Events : never
  ): void {
    this.#store.append(this.#options.clock.nowMs(), ...events)
  }

  #presence(node: NodeId, nowMs: number): Presence {
    return presenceOf(this.#live.get(node)?.heardAtMs ?? null, this.#startedAtMs, nowMs)
  }

  #nodeOf(session: AgentSession): NodeRecord | null {
    return (
      Object.values(this.state.nodes).find(
        ({ fingerprint, revoked }) => fingerprint === session.fingerprint && !revoked,
      ) ?? null
    )
  }

  /** Null for a session that another has taken the place of. */
  #liveOf(session: AgentSession): LiveNode | null {
    const node = this.#nodeOf(session)
    const live = node === null ? undefined : this.#live.get(node.id)
    return live?.session === session ? live : null
  }

  /** Silence is no event: it is looked for. */
  #checkPresence(): void {
    const now = new Map(this.nodes().map(({ id, presence }) => [id, presence]))
    let changed = false
    for (const [id, presence] of now) {
      const before = this.#presences.get(id)
      if (before === presence) continue
      changed = true
      const line = before === undefined ? null : presenceText(before, presence)
      if (line !== null) this.#options.log(`node "${this.state.nodes[id]?.name}" ${line}`)
    }
    this.#presences = now
    if (changed) this.#endpointsChanged()
    this.#cancelPresenceCheck = this.#options.clock.schedule(presenceCheckMs, () =>
      this.#checkPresence(),
    )
  }

  #nodeNamed(name: string): NodeRecord {
    const nodes = this.nodes()
    const found = nodes.find((node) => node.name === name || node.id === name)
    if (found !== undefined) return found
    const there = nodes.map((node) => node.name).join(', ')
    throw new ControllerRefusal(
      nodes.length === 0
        ? `there is no node "${name}": no machine has joined yet`
        : `there is no node "${name}"; there is ${there}`,
    )
  }

  #replica(id: string): { readonly spec: ReplicaSpec; readonly node: NodeId } {
    const found = Object.hasOwn(this.state.replicas, id) ? this.state.replicas[id] : undefined
    if (found !== undefined) return found
    const there = Object.keys(this.state.replicas)
    throw new ControllerRefusal(
      there.length === 0
        ? `there is no replica "${id}": none was started`
        : `there is no replica "${id}"; there is ${there.join(', ')}`,
    )
  }

  #sessionOf(node: NodeId): AgentSession {
    const session = this.#live.get(node)?.session ?? null
    if (session !== null) return session
    throw new ControllerRefusal(
      `the agent of ${this.state.nodes[node]?.name ?? node} is not connected`,
    )
  }
}

/** Every batch size is measured for some seconds; the largest model on a CPU needs minutes. */
const benchmarkWithinMs = 15 * 60_000

function refusalText(code: RefusalCode): string {
  switch (code) {
    case 'token_unknown':
      return 'This token is not known here: make one with "motley token create".'
    case 'token_used':
      return 'This token was used already, and each lets one machine in: make another with "motley token create".'
    case 'token_expired':
      return 'This token has expired: make another with "motley token create".'
    case 'revoked':
      return 'This node was revoked: to join again, remove "agent/identity.json" from its data directory and use a new token.'
    case 'not_joined':
      return 'This machine has not joined: start the agent with --token, from "motley token create".'
    case 'name_taken':
    case 'protocol':
    case 'malformed':
    case 'identity_in_use':
    case 'unavailable':
      return code
  }
}

/** What a person hears of a change; null for none. After a start of the controller all are silent. */
function presenceText(before: Presence, now: Presence): string | null {
  switch (now) {
    case 'suspect':
      return before === 'ready' ? 'is silent: nothing new is sent there' : null
    case 'lost':
      return 'is lost'
    case 'ready':
      return before === 'lost' ? 'is back' : null
  }
}

/** An address of IPv6 stands in brackets. */
function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** What an agent replied. Throws `AgentFailure` where that is not what it was asked for. */
function understood<Shape extends z.ZodType>(shape: Shape, reply: unknown): z.output<Shape> {
  const parsed = shape.safeParse(reply)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AgentFailure(
    `the agent replied what cannot be understood (${issue?.path.join('.')}: ${issue?.message}): run the same version of Motley on both`,
  )
}

/** What of a model's name can stand in a path, a container's name and a file's. */
function idText(model: string): string {
  const text = model
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  return text.slice(0, 40) || 'replica'
}

function originOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `https://${hostInUrl(host)}:${port}`
}

function isLoopback(host: string): boolean {
  return /^(127\.|\[?::1\]?$|localhost$)/.test(host)
}
