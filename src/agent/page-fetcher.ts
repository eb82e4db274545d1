import type { EndpointPeer } from '#core/config/endpoints.ts'
import type { EngineAnswer } from '#engines/engine.ts'

export interface PageRequest {
  /** The endpoint, as the user wrote it. */
  readonly url: string
  /** The page there; it begins with a slash. */
  readonly path: string
  readonly apiKey: string | undefined
  /** Whom to expect there, for a replica behind an agent's port. */
  readonly peer?: EndpointPeer | undefined
  /** For everything: connecting, and the whole answer. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * How it went. Every HTTP answer is one, whatever its status. A detail is one short sentence that
 * holds no key and no URL.
 */
export type PageOutcome =
  | { readonly kind: 'answer'; readonly answer: EngineAnswer }
  /** No connection: nothing listens, or there is no way there. */
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'connect-timeout'; readonly detail: string }
  | { readonly kind: 'answer-timeout'; readonly detail: string }
  /** What came was not a whole HTTP answer of reasonable size. */
  | { readonly kind: 'malformed'; readonly detail: string }

/** Fetches a page of an engine. Rejects only when `signal` says to stop. */
export type PageFetcher = (request: PageRequest) => Promise<PageOutcome>
