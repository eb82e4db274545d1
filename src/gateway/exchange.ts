/**
 * One client request from its first byte to its last: what was asked, what was tried, what came of
 * it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ErrorCode } from '#core/errors.ts'
import type { EndpointId, ModelName, RequestId } from '#core/ids.ts'
import type { AnswerSoFar } from '#gateway/answer-so-far.ts'
import type { ApiRoute } from '#gateway/api-table.ts'
import type { ApiKey } from '#gateway/key-ring.ts'
import type { RequestBody } from '#gateway/request-body.ts'
import type { SpentTokens } from '#gateway/spent-tokens.ts'
import type { Usage } from '#openai/usage.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import type { Splice } from '#std/splice-bytes.ts'

/** What a strategy expects of an answer. */
export interface PredictedPace {
  readonly ttftMs: number
  readonly tpotMs: number
  /** Nothing was measured of the endpoint yet. */
  readonly isGuess: boolean
}

/** One try on one endpoint, as the final error and the log name it. */
export interface AttemptRecord {
  readonly endpoint: EndpointId
  readonly model: ModelName
  /** What came of it, in a few words. */
  readonly outcome: string
  /** The same without the engine's words, which may quote what was asked. */
  readonly loggedOutcome: string
  /** How long after the arrival of the request it was sent there. */
  readonly sentAfterMs: number
  readonly durationMs: number
  /** It was asked for the rest of an answer that broke off elsewhere. */
  readonly isRest: boolean
  /** From sending it to the first byte of a stream; null where no stream began. */
  readonly ttftMs: number | null
  /** Of each further token of a whole stream. */
  readonly tpotMs: number | null
  /** The same as the strategy predicted them; null where it predicts nothing. */
  readonly predicted: PredictedPace | null
}

/** That `routing.script` gave no answer about a model, so that rules alone decided. */
export interface ScriptFailure {
  readonly model: ModelName
  /** A clause with "it" for the script. */
  readonly why: string
}

/** A model that could have answered, and that no endpoint serves. */
export interface UnservedModel {
  readonly model: ModelName
  readonly isFallback: boolean
}

/** One for all requests, of which hardly any has one. */
const noFailures: readonly ScriptFailure[] = []
const allServed: readonly UnservedModel[] = []

/** A run of bytes of a body; the end is exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** What the client asked for, once its body was read. */
export interface AskedFor {
  /** As the client wrote it. */
  readonly modelText: string
  readonly model: ModelName
  readonly stream: boolean
  /** How many choices must end before its stream is whole. */
  readonly choices: number
  /** The most tokens it wants back; null when it set no limit. */
  readonly maxTokens: number | null
  /** Where in the body the model name stands, with its quotes if it has any. */
  readonly modelSpan: Span | null
  /** Where in the body what becomes its prompt stands, in the order in which engines put it there. */
  readonly promptSpans: readonly Span[]
  /** How to write a model name there. */
  readonly writeModel: (servedName: string) => string
  /** How to ask for a usage event where the client did not; null where that is not possible. */
  readonly askUsage: Splice | null
}

/** `endpoint`: for one that is away, or not there yet. */
export type WaitsFor =
  | { readonly kind: 'answer'; readonly endpoint: EndpointId }
  | { readonly kind: 'room' }
  | { readonly kind: 'endpoint' }

/**
 * What a request waits for right now: room, or an endpoint's answer. The object that waits, not a
 * closure over it: measured, closures here keep whole requests alive until a full collection.
 */
export interface UnderWay {
  /** Since when it waits for that. */
  readonly sinceMs: number
  readonly waitsFor: WaitsFor
  clientGone(): void
  /** The gateway stops. */
  shutDown(): void
}

export class Exchange {
  readonly id: RequestId
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly route: ApiRoute
  readonly startedMs: number
  key: ApiKey | null = null
  body: RequestBody | null = null
  asked: AskedFor | null = null
  /** Names of the leading pieces of its prompt; null until somebody wants them. */
  prefixBlocks: readonly number[] | null = null
  readonly attempts: AttemptRecord[] = []
  /** Attempts over or under way. */
  attemptsBegun = 0
  readonly decisions: DecisionRecord[] = []
  scriptFailures = noFailures
  unserved = allServed
  queueMs = 0
  /** How much of that nobody was there who could have had room. */
  awayMs = 0
  /** The endpoint that answered, and for which model. */
  answeredBy: EndpointId | null = null
  answeredModel: ModelName | null = null
  ttftMs: number | null = null
  /** As its engine reported it. */
  usage: Usage | null = null
  /** What it came to, reported or counted; null where nobody knows. */
  spent: SpentTokens | null = null
  /** What of a stream went out, as long as another endpoint could go on with it. */
  soFar: AnswerSoFar | null = null
  /** Why its answer broke off in the middle, in a sentence; null where it did not. */
  brokeOff: string | null = null
  /** Until when it waits for a machine that comes back; null where it did not since more was said. */
  returnByMs: number | null = null
  /** Events relayed; near the number of tokens, for streams that report no usage. */
  events = 0
  bytesOut = 0
  errorCode: ErrorCode | null = null
  /** What its client was told instead of an answer. */
  errorMessage: string | null = null
  /** The client went away before the end. */
  clientGone = false
  underWay: UnderWay | null = null

  constructor(options: {
    readonly id: RequestId
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly route: ApiRoute
    readonly startedMs: number
  }) {
    this.id = options.id
    this.request = options.request
    this.response = options.response
    this.route = options.route
    this.startedMs = options.startedMs
    options.response.once('close', () => {
      if (options.response.writableFinished) return
      this.clientGone = true
      this.underWay?.clientGone()
    })
  }
}
