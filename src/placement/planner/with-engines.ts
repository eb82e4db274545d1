import type { EngineId } from '#core/engine-id.ts'
import type { Blocker } from '#placement/fit.ts'

/** An amount that is too much is one of an engine: another may need less. */
export function withEngine(blocker: Blocker, engine: EngineId): Blocker {
  return blocker.excess === undefined ? blocker : withEngines(blocker, [engine])
}

/** What was said of some engines is true of these as well. */
export function withEngines(blocker: Blocker, engines: readonly EngineId[] = []): Blocker {
  const all = [...new Set([...(blocker.engines ?? []), ...engines])]
  return all.length === 0 ? blocker : { ...blocker, engines: all }
}
