/** The planner with all that this program knows of engines and devices: pure, and the same everywhere. */
import { speedReferences } from '#hardware/speed-references.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { Planner } from '#placement/plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'

export { engineCatalog } from '#engines/index.ts'

export const fitLocally = createFitReplica(speedReferences)

export const planLocally: Planner = createPlanner(fitLocally)
