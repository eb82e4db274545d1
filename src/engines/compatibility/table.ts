/**
 * What Motley knows of engines on hardware, engine by engine: adapters take their part from here,
 * and with it launches are refused, `placement/` decides and `motley doctor` explains.
 */
import type { EngineCompatibility } from '#core/compatibility.ts'
import { type EngineId, engineIds } from '#core/engine-id.ts'
import { builds } from '#engines/compatibility/builds.ts'
import { capabilityRows } from '#engines/compatibility/capabilities.ts'
import { linkRules } from '#engines/compatibility/links.ts'

const table = new Map<EngineId, EngineCompatibility>(
  engineIds.map((id) => [
    id,
    {
      supports: builds[id],
      capabilities: capabilityRows.filter(({ engines }) => engines.includes(id)),
      links: linkRules,
    },
  ]),
)

export function compatibilityOf(id: EngineId): EngineCompatibility {
  const found = table.get(id)
  if (found === undefined) throw new RangeError(`no engine ${id}`)
  return found
}
