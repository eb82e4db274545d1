import type { Engine, EngineAnswer, EngineIdentity } from '#engines/engine.ts'

export interface Identification {
  readonly engine: Engine
  readonly identity: EngineIdentity
}

/**
 * Finds out which engine answers: the first of `engines` that knows its own page. `read` fetches
 * a page, and throws when there is no use in asking on; the error passes through. Returns null
 * when no engine knows itself.
 */
export async function identifyEngine(
  engines: readonly Engine[],
  read: (path: string) => Promise<EngineAnswer>,
): Promise<Identification | null> {
  for (const engine of engines) {
    const { path, confirm } = engine.identify
    const identity = engine.identify.read(await read(path))
    if (identity === null) continue
    if (confirm !== undefined && !confirm.read(await read(confirm.path))) continue
    return { engine, identity }
  }
  return null
}
