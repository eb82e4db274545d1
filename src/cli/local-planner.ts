/** The planner with all that this program knows of engines and devices: pure, and the same everywhere. */
export { engineCatalog } from '#engines/index.ts'

import { speedReferences } from '#hardware/speed-references.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { Planner } from '#placement/plan.ts'
import { createPlanner } from '#placement/planner/planner.ts'

export const planLocally: Planner = createPlanner(createFitReplica(speedReferences))
