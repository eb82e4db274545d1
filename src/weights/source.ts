/**
 * A source knows where weights are: it turns a reference into files with sizes, hashes and places
 * to get them from. It downloads nothing but small pages of metadata; `pull.ts` does the rest.
 */

import type { HttpClient, HttpHeaders } from '#weights/http-client.ts'
import type { WeightsReference } from '#weights/reference.ts'
import type { Patience } from '#weights/retry.ts'
import type { WeightsError } from '#weights/weights-error.ts'

/** What the content of a file must hash to. */
export type Digest =
  | { readonly kind: 'sha256'; readonly hex: string }
  /** SHA-1 over `blob <length>\0` and the content: what git, and so the hub, calls a small file. */
  | { readonly kind: 'git-sha1'; readonly hex: string }

export interface HttpLocation {
  readonly kind: 'http'
  readonly url: string
  /** Go to the host of `url` only; redirects elsewhere do not get an authorization. */
  readonly headers: Readonly<Record<string, string>>
  /** What an answer that is neither content nor transient means, in words that help. */
  explain(status: number, headers: HttpHeaders): WeightsError
}

export interface LocalLocation {
  readonly kind: 'local'
  readonly path: string
}

export interface ResolvedFile {
  /** Below the model's folder, with slashes; no step of it is `..`. */
  readonly path: string
  /** Null where the server does not say. */
  readonly sizeBytes: number | null
  readonly digest: Digest | null
  /** In order of preference. */
  readonly locations: readonly (HttpLocation | LocalLocation)[]
}

export interface ResolvedWeights {
  /** What exactly was found: a commit of the hub; null where versions have no names. */
  readonly version: string | null
  readonly files: readonly ResolvedFile[]
}

/** What sources need of the world. */
export interface SourceContext extends Patience {
  readonly http: HttpClient
  /** Without a slash at its end. */
  readonly hubUrl: string
  readonly hubToken: string | null
  /** Sent to other nodes of the fleet. */
  readonly nodeHeaders: Readonly<Record<string, string>>
}

export interface WeightsSource<Kind extends WeightsReference['kind']> {
  readonly kind: Kind
  /** Rejects with {@link WeightsError} and with the reason of `signal`. */
  resolve(
    reference: Extract<WeightsReference, { readonly kind: Kind }>,
    context: SourceContext,
  ): Promise<ResolvedWeights>
}
