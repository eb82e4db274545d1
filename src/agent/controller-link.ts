/**
 * The agent's line to its controller: dialled from here, so that it works behind NAT, and dialled
 * again for as long as the agent lives. The controller must prove to own the certificate that the
 * join token named, before anything is said.
 */
import { randomUUID } from 'node:crypto'
import { connect, type TLSSocket } from 'node:tls'
import { dialProblem } from '#agent/dial-problem.ts'
import type { AgentIdentity, ControllerAddress } from '#agent/identity.ts'
import { LinkLog } from '#agent/link-log.ts'
import {
  type AgentMessage,
  type AgentPeer,
  type AttachedPort,
  type ControllerMessage,
  type FoundEngine,
  heartbeatMs,
  messageBytesMax,
  protocolVersions,
  type RefusalCode,
  type ReplicaSpec,
  type ReportedInventory,
  type ReportedReplica,
} from '#protocol/agent-messages.ts'
import {
  type HeardByAgent,
  readControllerMessage,
  type StrangeReplica,
} from '#protocol/read-messages.ts'
import { asClause } from '#std/as-clause.ts'
import type { Clock } from '#std/clock.ts'
import { JsonLineReader } from '#std/json-lines.ts'
import { peerFingerprint, peerTlsOptions } from '#std/peer-tls.ts'

/** `unreachable`: who joins for the first time found no controller for too long. */
export type Refusal = RefusalCode | 'wrong-certificate' | 'unreachable'

export interface LinkOptions {
  readonly identity: AgentIdentity
  readonly controller: ControllerAddress
  /** For the first time; null where there is none. */
  readonly token: string | null
  /** Whether this controller took it before: then little makes it give up. */
  readonly hasJoined: boolean
  /** So long it looks for a controller that has not taken it before. */
  readonly joinWithinMs: number
  readonly name: string
  readonly version: string
  /** Where gateways reach this agent; host null for wherever this connection comes from. */
  readonly ingress: { readonly host: string | null; readonly port: number }
  readonly clock: Clock
  /** In [0, 1), for spreading reconnects. */
  readonly chance: () => number
  /** With the name that the node joined with, which need not be the one it was started with. */
  readonly onWelcome: (name: string) => void
  /** The controller will not have this agent, and only a person can change that: it dials no more. */
  readonly onRefused: (code: Refusal, message: string) => void
  readonly onPeers: (peers: readonly AgentPeer[]) => void
  /** `strange` are wanted too, in words that this version does not know. */
  readonly onDesired: (replicas: readonly ReplicaSpec[], strange: readonly StrangeReplica[]) => void
  readonly onAttached: (endpoints: readonly AttachedPort[]) => void
  readonly onAsk: (
    what: Extract<ControllerMessage, { type: 'ask' }>['what'],
    params: Readonly<Record<string, unknown>>,
  ) => Promise<unknown>
  /** The line broke or came back, for people. */
  readonly log: (line: string) => void
}

/** A controller that says nothing for so long is gone, whatever TCP believes. */
const silentMsMax = 3 * heartbeatMs

/** Somebody who joins a machine for the first time waits for a word; a controller needs no second. */
const silentMsMaxNew = 5_000

/**
 * A controller that all agents come back to at once may need longer than that for their handshakes:
 * if each of them hung up then, none would ever get in. So each try that was not answered is given
 * as long again, up to so many times.
 */
const patienceMax = 4

const firstRedialMs = 500
const redialMsMax = 15_000

/** For these a person must do something here, whatever was before. */
const finalForAll: ReadonlySet<Refusal> = new Set([
  'token_unknown',
  'token_used',
  'token_expired',
  'revoked',
  'not_joined',
])

/**
 * These stop somebody who is just joining, and may read it. An agent that has joined comes back
 * when the network, or the version at the other end, is mended.
 */
const finalForNew: ReadonlySet<Refusal> = new Set([
  'name_taken',
  'protocol',
  'malformed',
  'wrong-certificate',
  'unreachable',
])

export class ControllerLink {
  readonly #options: LinkOptions
  #socket: TLSSocket | null = null
  #welcome = false
  #closed = false
  #redialMs = firstRedialMs
  #cancelRedial: () => void = () => {}
  #cancelBeat: () => void = () => {}
  #cancelGiveUp: () => void = () => {}
  #heardAtMs = 0
  #token: string | null
  #hasJoined: boolean
  readonly #log: LinkLog
  /** Tries in a row that were not answered in time. */
  #unanswered = 0
  /** Why the newest connection ended. */
  #lastReason = 'no answer'
  /** Another agent with a copy of this identity has another. */
  readonly #instance = randomUUID()
  /** Said again on every new connection. */
  #inventory: ReportedInventory | null = null
  #replicas: readonly ReportedReplica[] = []
  #found: readonly FoundEngine[] = []

  constructor(options: LinkOptions) {
    this.#options = options
    this.#log = new LinkLog(options.clock, options.log)
    this.#token = options.token
    this.#hasJoined = options.hasJoined
    if (!options.hasJoined) {
      this.#cancelGiveUp = options.clock.schedule(options.joinWithinMs, () => this.#giveUp())
    }
    this.#dial()
  }

  get isUp(): boolean {
    return this.#welcome
  }

  reportInventory(inventory: ReportedInventory): void {
    this.#inventory = inventory
    if (this.#welcome) this.#say({ type: 'inventory', inventory })
  }

  reportReplicas(replicas: readonly ReportedReplica[]): void {
    this.#replicas = replicas
    if (this.#welcome) this.#say({ type: 'replicas', replicas: [...replicas] })
  }

  reportFound(engines: readonly FoundEngine[]): void {
    this.#found = engines
    if (this.#welcome) this.#say({ type: 'found', engines: [...engines] })
  }

  close(): void {
    this.#closed = true
    this.#cancelGiveUp()
    this.#cancelRedial()
    this.#cancelBeat()
    this.#socket?.destroySoon()
  }

  #dial(): void {
    const { controller, identity, clock } = this.#options
    const reader = new JsonLineReader(messageBytesMax)
    const socket = connect({
      ...peerTlsOptions(identity.certificate),
      host: controller.host,
      port: controller.port,
      // A name is not what the controller is known by.
      checkServerIdentity: () => undefined,
    })
    this.#socket = socket
    let reason = dialProblem(null)
    let isTrusted = false
    const answerMsMax =
      (this.#hasJoined ? silentMsMax : silentMsMaxNew) * Math.min(patienceMax, this.#unanswered + 1)
    const cancelDeadline = clock.schedule(answerMsMax, () => {
      if (this.#welcome) return
      this.#unanswered++
      reason = `no answer within ${answerMsMax / 1000} s`
      socket.destroy()
    })
    socket.once('secureConnect', () => {
      isTrusted = peerFingerprint(socket) === controller.fingerprint
      reason = 'the connection ended'
      if (!isTrusted) {
        socket.destroy()
        this.#refused('wrong-certificate', this.#strangerText())
        return
      }
      const { name, version, ingress } = this.#options
      this.#say({
        type: 'hello',
        protocols: [...protocolVersions],
        token: this.#token,
        name,
        version,
        instance: this.#instance,
        ingress,
      })
    })
    socket.on('data', (piece: Buffer) => {
      if (!isTrusted || socket.destroyed) return
      let messages: HeardByAgent[]
      try {
        messages = reader.push(piece).map(readControllerMessage)
      } catch (error) {
        reason = `it does not speak the protocol of this agent (${(error as Error).name})`
        socket.destroy()
        return
      }
      for (const message of messages) {
        if (!this.#closed) this.#hear(message)
      }
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = isTrusted ? (error.code ?? error.message) : dialProblem(error)
    })
    socket.once('close', () => {
      cancelDeadline()
      this.#cancelBeat()
      if (this.#socket === socket) this.#socket = null
      if (this.#closed) return
      this.#lastReason = reason
      if (this.#welcome) this.#log.tell(`the controller is gone (${reason}); replicas go on`)
      else this.#log.tellUnreachable(this.#address, reason, this.#hasJoined)
      this.#welcome = false
      this.#redialLater()
    })
  }

  get #address(): string {
    const { host, port } = this.#options.controller
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  #strangerText(): string {
    const start = `What answers at ${this.#address} is not the controller that`
    return this.#token === null
      ? `${start} this machine belongs to: its certificate is another. Somebody may be in between; to join that one, give a token of it.`
      : `${start} made the token: its certificate is another. Copy the token again, it may have changed on the way; if it has not, somebody may be in between.`
  }

  #giveUp(): void {
    const seconds = this.#options.joinWithinMs / 1_000
    this.#refused(
      'unreachable',
      `No controller took this machine at ${this.#address} within ${seconds} s (${this.#lastReason}): see that it runs, and that --join has its address.`,
    )
    this.#socket?.destroy()
  }

  #redialLater(): void {
    // Half to all of the pause: a controller that restarts is not met by all agents at once.
    const afterMs = this.#redialMs * (0.5 + this.#options.chance() / 2)
    this.#redialMs = Math.min(redialMsMax, this.#redialMs * 2)
    this.#cancelRedial = this.#options.clock.schedule(afterMs, () => this.#dial())
  }

  #hear(message: HeardByAgent): void {
    this.#heardAtMs = this.#options.clock.nowMs()
    switch (message.type) {
      case 'welcome':
        if (!protocolVersions.some((version) => version === message.protocol)) {
          this.#refused(
            'protocol',
            `It answers in protocol ${message.protocol}, and this agent speaks ${protocolVersions.join(', ')}: run the same version of Motley on both.`,
          )
          this.#socket?.destroy()
          return
        }
        this.#welcome = true
        this.#hasJoined = true
        this.#unanswered = 0
        this.#cancelGiveUp()
        this.#log.noteUp()
        // It was good for one time.
        this.#token = null
        this.#options.onWelcome(message.name)
        if (this.#inventory !== null) this.reportInventory(this.#inventory)
        this.reportReplicas(this.#replicas)
        this.reportFound(this.#found)
        this.#beat()
        break
      case 'refused':
        this.#refused(message.code, message.message)
        break
      case 'desired':
        this.#options.onDesired(message.replicas, message.strange)
        break
      case 'peers':
        this.#options.onPeers(message.peers)
        break
      case 'attached':
        this.#options.onAttached(message.endpoints)
        break
      case 'ask':
        void this.#answer(message)
        break
      case 'strange-ask':
        this.#say({
          type: 'reply',
          request: message.request,
          result: null,
          error: `the agent (Motley ${this.#options.version}) does not know "${message.what}": update Motley on its node`,
        })
        break
      case 'strange':
        this.#log.tellStrange(message.of)
        break
      case 'alive':
        // A connection that has lasted; one that breaks after each welcome is dialled less and less.
        this.#redialMs = firstRedialMs
        break
    }
  }

  #refused(code: Refusal, message: string): void {
    if (!finalForAll.has(code) && (this.#hasJoined || !finalForNew.has(code))) {
      this.#lastReason = asClause(message)
      this.#log.tell(`the controller refuses: ${this.#lastReason}. Trying again.`)
      return
    }
    this.#closed = true
    this.#cancelGiveUp()
    this.#cancelRedial()
    this.#options.onRefused(code, message)
  }

  async #answer({ request, what, params }: Extract<ControllerMessage, { type: 'ask' }>) {
    try {
      const result = await this.#options.onAsk(what, params)
      this.#say({ type: 'reply', request, result, error: null })
    } catch (error) {
      const words = (error as Error).message.slice(0, 4_000)
      this.#say({ type: 'reply', request, result: null, error: words })
    }
  }

  #beat(): void {
    this.#cancelBeat()
    this.#cancelBeat = this.#options.clock.schedule(heartbeatMs, () => {
      if (this.#options.clock.nowMs() - this.#heardAtMs > silentMsMax) {
        this.#socket?.destroy()
        return
      }
      this.#say({ type: 'heartbeat' })
      this.#beat()
    })
  }

  #say(message: AgentMessage): void {
    if (this.#socket?.writable) this.#socket.write(`${JSON.stringify(message)}\n`)
  }
}
