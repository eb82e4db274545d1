/**
 * What is known of the machine behind an endpoint, for rules and scripts. Of a replica its agent
 * tells; of a URL that somebody configured, only what they wrote beside it.
 */
import type { Backend } from '#core/engine-build.ts'

export interface EndpointFacts {
  readonly backend: Backend | null
  /** Of the devices it runs on, together. */
  readonly deviceMemoryBytes: number | null
  readonly node: string | null
  readonly engine: string | null
  readonly labels: Readonly<Record<string, string>>
}
