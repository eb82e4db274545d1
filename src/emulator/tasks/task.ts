import type { Exchange } from '#emulator/exchange.ts'
import type { Fields } from '#emulator/request-fields.ts'

/** A request whose body is here and whose model is served. */
export interface TaskRequest {
  readonly exchange: Exchange
  /** The model as the client named it. */
  readonly requestedModel: string
  /** The served name behind it. */
  readonly model: string
  readonly body: Fields
  readonly rawBody: Buffer
}

/** Answers one kind of request. It may refuse, but never leaves a request without an answer. */
export type TaskHandler = (request: TaskRequest) => void
