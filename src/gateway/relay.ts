/**
 * What an attempt asks of the one that passes an endpoint's answer on to the client, byte for byte
 * where it can, and knows whether it was whole.
 */

import type { AnswerRest } from '#gateway/answer-rest.ts'
import type { AnswerSoFar } from '#gateway/answer-so-far.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { Usage } from '#openai/usage.ts'

export interface RelayOptions {
  readonly exchange: Exchange
  readonly endpoint: Endpoint
  /** The engine's name of the model and the client's; null when they are the same. */
  readonly rename: { readonly from: string; readonly to: string } | null
  /** Whether the usage event of a stream is ours alone. */
  readonly hidesUsage: boolean
  /** What the client was told so far, where another endpoint might have to go on. */
  readonly soFar: AnswerSoFar | null
  /** How this answer goes on with one that broke off; null where it begins. */
  readonly rest: AnswerRest | null
  readonly nowMs: () => number
  /** How long a client may read nothing. */
  readonly writeStallMs: number
  /** Stops the endpoint from sending more, and lets it go on. */
  readonly pause: () => void
  readonly resume: () => void
}

export interface AnswerRelay {
  readonly streams: boolean
  /** Whether a byte of an answer's body went out: then nobody else can begin it again. */
  readonly reachedClient: boolean
  /** The engine itself said in mid-stream that it failed. */
  readonly engineFailed: boolean
  readonly firstByteAtMs: number | null
  /** With which words the engine said so, where the client was not told them. */
  readonly engineWords: string | null
  /** Takes a piece; what is wrong with the answer, or null. */
  push(chunk: Buffer): string | null
  /** The endpoint closed cleanly; what is missing, or null when the answer is whole. */
  end(): string | null
  /**
   * The connection broke: whether the answer had come to its end before, were it that the engine said
   * why it failed. Then nothing is missing that the client waits for.
   */
  endedBefore(): boolean
  /** Ends the client's answer well. */
  finish(): void
  /** Says in the stream why the answer is incomplete, and breaks the connection. */
  interrupt(code: 'stream_interrupted' | 'draining', message: string): void
  /** As the engine reported it, so far. */
  usage(): Usage | null
  /** Events that carried a piece of the answer; null where it is no stream. */
  contentEvents(): number | null
  /** Lets go of the response; nothing is sent after it but what `finish` or `interrupt` sends. */
  release(): void
}
