/**
 * Other programs keep weights on this machine too. A cache says where it would have a file; whether
 * it is the right one is for the hash to tell.
 */
import type { WeightsReference } from '#weights/reference.ts'
import type { ResolvedFile } from '#weights/source.ts'

export interface WeightsCache {
  /** As people call the program. */
  readonly name: string
  /** Paths where the file may be, the likeliest first. Reads folders at most, and never fails. */
  candidates(file: ResolvedFile, reference: WeightsReference): Promise<readonly string[]>
}

/** Where programs look for their folders. */
export interface CacheEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
}
