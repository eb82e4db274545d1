/**
 * One connection of one agent, from its first byte to its last: who it is, what it says, what it is
 * told. Nothing an agent sends is believed before it matches the protocol.
 */
import { randomUUID } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { z } from 'zod'
import {
  type AgentMessage,
  type ControllerMessage,
  helloBytesMax,
  messageBytesMax,
  type RefusalCode,
} from '#protocol/agent-messages.ts'
import { readAgentMessage, type Strange } from '#protocol/read-messages.ts'
import type { Clock } from '#std/clock.ts'
import { JsonLineReader } from '#std/json-lines.ts'
import { peerFingerprint } from '#std/peer-tls.ts'

/** A machine under load needs a second; what opens a connection and says nothing is no agent. */
const helloWithinMs = 10_000

/** What an agent is asked takes at most so long, unless the asker says otherwise. */
const replyWithinMs = 30_000

/** An agent that reads nothing is as good as gone; what it should be told takes no more memory. */
const unreadBytesMax = 16 * 1024 * 1024

export interface SessionOptions {
  readonly socket: TLSSocket
  readonly clock: Clock
  /** Decides about the hello: null takes it, anything else is told and ends the connection. */
  readonly onHello: (
    hello: Extract<AgentMessage, { type: 'hello' }>,
    session: AgentSession,
  ) => { readonly code: RefusalCode; readonly message: string } | null
  readonly onMessage: (message: AgentMessage, session: AgentSession) => void
  /** What one of these threw: the connection has ended with that. */
  readonly onFault: (error: unknown) => void
  readonly onClose: (session: AgentSession) => void
}

/** An agent that went away, was silent, or said that it could not: for people. */
export class AgentFailure extends Error {}

export class AgentSession {
  /** Of the certificate that the agent proved to own. */
  readonly fingerprint: string
  /** Where its connection comes from. */
  readonly remoteAddress: string
  readonly #options: SessionOptions
  readonly #reader = new JsonLineReader(helloBytesMax)
  readonly #waiting = new Map<
    string,
    { resolve(result: unknown): void; reject(error: Error): void }
  >()
  #greeted = false
  /** Nothing is said or heard any more; the socket may still be sending the last words. */
  #over = false

  constructor(options: SessionOptions) {
    const { socket, clock } = options
    this.#options = options
    this.fingerprint = peerFingerprint(socket) ?? ''
    this.remoteAddress = socket.remoteAddress ?? ''
    const forgetDeadline = clock.schedule(helloWithinMs, () => {
      if (!this.#greeted) this.refuse('malformed', 'An agent says hello first.')
    })
    socket.on('data', (piece: Buffer) => this.#take(piece))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#over = true
      forgetDeadline()
      for (const { reject } of this.#waiting.values())
        reject(new AgentFailure('the agent went away'))
      this.#waiting.clear()
      options.onClose(this)
    })
  }

  send(message: ControllerMessage): void {
    const { socket } = this.#options
    if (this.#over) return
    if (socket.writableLength > unreadBytesMax) socket.destroy()
    else socket.write(`${JSON.stringify(message)}\n`)
  }

  /** Says why, and ends the connection. */
  refuse(code: RefusalCode, message: string): void {
    this.send({ type: 'refused', code, message })
    this.end()
  }

  /** What it sends from now on is not heard. */
  end(): void {
    this.#over = true
    this.#options.socket.destroySoon()
  }

  /** Rejects with the agent's words, or when it goes away or does not reply in time. */
  ask(
    what: Extract<ControllerMessage, { type: 'ask' }>['what'],
    params: Readonly<Record<string, unknown>>,
    withinMs = replyWithinMs,
  ): Promise<unknown> {
    const request = randomUUID()
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(new AgentFailure('the agent went away'))
        return
      }
      const forget = this.#options.clock.schedule(withinMs, () => {
        this.#waiting.delete(request)
        reject(new AgentFailure(`the agent did not reply within ${withinMs / 1000} s`))
      })
      const settled = (settle: () => void) => {
        forget()
        this.#waiting.delete(request)
        settle()
      }
      this.#waiting.set(request, {
        resolve: (result) => settled(() => resolve(result)),
        reject: (error) => settled(() => reject(error)),
      })
      this.send({ type: 'ask', request, what, params: { ...params } })
    })
  }

  #take(piece: Buffer): void {
    if (this.#over) return
    let values: unknown[]
    try {
      values = this.#reader.push(piece)
    } catch (error) {
      this.refuse('malformed', `This is not the agent protocol: ${(error as Error).message}.`)
      return
    }
    for (const value of values) {
      if (this.#over) return
      let message: ReturnType<typeof readAgentMessage>
      try {
        message = readAgentMessage(value)
      } catch (error) {
        const [issue] = error instanceof z.ZodError ? error.issues : []
        const where = issue?.path.join('.') ?? ''
        this.refuse(
          'malformed',
          `A message does not match the protocol at "${where}": ${issue?.message}.`,
        )
        return
      }
      try {
        this.#hear(message)
      } catch (error) {
        // One agent is cut off; the others, and whoever shares this process, are not its victims.
        this.refuse('unavailable', `The controller failed: ${(error as Error).message}.`)
        this.#options.onFault(error)
        return
      }
    }
  }

  #hear(message: AgentMessage | Strange): void {
    if (!this.#greeted) {
      const refusal =
        message.type === 'hello'
          ? this.#options.onHello(message, this)
          : ({ code: 'malformed', message: 'An agent says hello first.' } as const)
      if (refusal === null) {
        this.#greeted = true
        this.#reader.lineBytesMax = messageBytesMax
      } else this.refuse(refusal.code, refusal.message)
      return
    }
    // A newer agent says more than this version can use.
    if (message.type === 'strange') return
    if (message.type === 'reply') {
      const waiting = this.#waiting.get(message.request)
      if (message.error === null) waiting?.resolve(message.result)
      else waiting?.reject(new AgentFailure(message.error))
      return
    }
    this.#options.onMessage(message, this)
  }
}
