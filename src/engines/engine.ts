/**
 * An engine is inference server software. An adapter only translates: it turns a launch request
 * into a command line, says which pages of a running engine to read, and turns the engine's own
 * words into Motley's. It starts nothing, fetches nothing and keeps no state, so every recording of
 * a real engine is a test of it. No answer, however broken, makes a reader throw.
 */
import type { Continuation } from '#core/continuation.ts'
import type { EndpointLoad } from '#core/endpoint.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { EngineMemory } from '#core/engine-memory.ts'
import type { Task } from '#core/task.ts'
import type { EngineAlarm } from '#engines/engine-alarms.ts'
import type { KnownError } from '#engines/engine-known-errors.ts'
import type { Launch } from '#engines/engine-launch.ts'
import type { EngineProgram } from '#engines/engine-program.ts'

/** One HTTP answer of an engine, whole. */
export interface EngineAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** What an engine says of itself. */
export interface EngineIdentity {
  /** Null when it says none. */
  readonly version: string | null
  /** The longest prompt plus answer of every model here that names no length of its own. */
  readonly contextTokens: number | null
  /** How many requests it decodes at a time. */
  readonly slots: number | null
  /** Tokens that its KV cache holds; left out where its identity does not say. */
  readonly kvTokens?: number | null
}

export interface EngineModel {
  readonly servedName: string
  readonly contextTokens: number | null
  /** Null when the engine does not say what the model can do. */
  readonly tasks: readonly Task[] | null
}

export interface LoadPage {
  readonly path: string
  /** Fields that the page lacks are null. Returns null when the page is not there or not this. */
  read(answer: EngineAnswer): EndpointLoad | null
}

export interface Engine extends Omit<EngineFacts, 'memory'> {
  /** Null for an engine that somebody else starts: its memory is theirs to plan. */
  readonly memory: EngineMemory | null
  /** A page that tells this engine from the others. */
  readonly identify: {
    readonly path: string
    /** Returns null when the answer is that of another engine. */
    read(answer: EngineAnswer): EngineIdentity | null
    /** A second page that must agree, for an engine whose first one looks like that of others. */
    readonly confirm?: {
      readonly path: string
      read(answer: EngineAnswer): boolean
    }
  }
  /** The cheapest page that tells whether it can take requests. It must cost no tokens. */
  readonly health: {
    readonly path: string
    read(answer: EngineAnswer): 'ready' | 'loading' | 'unhealthy'
  }
  readonly models: {
    readonly path: string
    /** Returns null when the page is not a model list. */
    read(answer: EngineAnswer): readonly EngineModel[] | null
  }
  /**
   * Where it reports its load, best page first; empty when it does not. A reader goes on to the
   * next page while it does not know both how many requests run and how many wait.
   */
  readonly loadPages: readonly LoadPage[]
  /** Whether `stream_options.include_usage` brings a usage chunk and never an error. */
  readonly supportsStreamUsage: boolean
  /** Where its part that speaks OpenAI's API begins. */
  readonly apiPath: '/v1' | '/v3'
  /** Where it listens when nobody says otherwise: where to look for one that somebody started. */
  readonly usualPorts: readonly number[]
  /** Null for an engine that somebody else starts. */
  readonly launch: Launch | null
  /** How its program is asked what it is; left out where it says its version and no more. */
  readonly program?: EngineProgram
  /** How an answer that was cut off elsewhere goes on here. */
  readonly continuation: Continuation
  /**
   * Fields of a request, beyond those of the API, by which it holds an answer to a form or begins
   * it elsewhere than at its beginning; left out where it has none.
   */
  readonly formFields?: readonly string[]
  /** What its last words mean when it ends by itself; the first that matches counts. */
  readonly knownErrors: readonly KnownError[]
  /**
   * What it writes when it runs, but on the CPU or in part; empty where it ends instead, or writes
   * nothing. Only read where it was started on another device than the CPU.
   */
  readonly alarms: readonly EngineAlarm[]
  /** How it is asked to end, and how long it may take: then it is killed, with its children. */
  readonly stop: { readonly signal: 'SIGTERM' | 'SIGINT'; readonly graceMs: number }
}
