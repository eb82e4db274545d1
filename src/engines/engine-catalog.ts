/** What placement knows of engines: those that Motley can start, as data. */
import type { EngineCatalog, EngineFacts } from '#core/engine-facts.ts'
import type { Engine } from '#engines/engine.ts'
import { engines } from '#engines/index.ts'

export const engineCatalog: EngineCatalog = engines.flatMap(factsOf)

function factsOf(engine: Engine): readonly EngineFacts[] {
  const { id, title, supports, weightsFormats, tasks, spread, checksApiKey, memory } = engine
  if (engine.launch === null || memory === null) return []
  return [{ id, title, supports, weightsFormats, tasks, spread, checksApiKey, memory }]
}
