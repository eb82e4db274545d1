/** What can be said about how a replica is to be started, for whoever reads it from people. */
import { backends } from '#core/engine-build.ts'
import { engines } from '#engines/index.ts'

export const launchBackends: readonly string[] = backends

/** Engines that Motley starts. */
export const launchEngines: readonly string[] = engines
  .filter(({ launch }) => launch !== null)
  .map(({ id }) => id)
