/** What placement knows of engines: those that Motley can start, as data. */
import type { EngineCatalog } from '#core/engine-facts.ts'
import { compatibilityOf } from '#engines/compatibility/table.ts'
import type { Engine } from '#engines/engine.ts'

export function catalogOf(engines: readonly Engine[]): EngineCatalog {
  return engines.flatMap((engine) => {
    const { id, title, weightsFormats, tasks, spread, checksApiKey, memory } = engine
    if (engine.launch === null || memory === null) return []
    const compatibility = compatibilityOf(id)
    return [{ id, title, ...compatibility, weightsFormats, tasks, spread, checksApiKey, memory }]
  })
}
