/**
 * An engine is inference server software. An adapter only translates: it says which pages of a
 * running engine to read and turns the engine's own words into Motley's. It fetches nothing and
 * keeps no state, so every recording of a real engine is a test of it.
 */
import type { EndpointLoad } from '#core/endpoint.ts'
import type { Task } from '#core/task.ts'

export type EngineId = 'vllm' | 'sglang' | 'llama-server' | 'ollama' | 'motley-embedded' | 'openai'

/** One HTTP answer of an engine, whole. */
export interface EngineAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface EngineModel {
  readonly servedName: string
  readonly contextTokens: number | null
  /** Null when the engine does not say what the model can do. */
  readonly tasks: readonly Task[] | null
}

export interface Engine {
  readonly id: EngineId
  /** The engine's own name, for people. */
  readonly title: string
  /**
   * A page that tells this engine from the others, and how to read it: the engine's version, ''
   * when it is this engine but says no version, or null when it is another one.
   */
  readonly identify: {
    readonly path: string
    read(answer: EngineAnswer): string | null
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
  /** Where it reports its load; left out when it does not. */
  readonly load?: {
    readonly path: string
    /** Fields that the page lacks are null. */
    read(answer: EngineAnswer): EndpointLoad
  }
  /** Tasks the engine has routes for; null when that depends on what is behind the URL. */
  readonly tasks: readonly Task[] | null
  /** Whether `stream_options.include_usage` brings a usage chunk and never an error. */
  readonly supportsStreamUsage: boolean
}
