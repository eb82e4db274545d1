/** A controller that plans by the search, and what a motley.yaml wants of it. */
import { parseConfig } from '#cli/config-file.ts'
import { searchLocally } from '#cli/local-planner.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import type { Controller } from '#controller/controller.ts'
import type { Wishes } from '#controller/deploying.ts'
import { engineCatalog } from '#engines/index.ts'
import type { Clock } from '#std/clock.ts'
import { controller } from './fleet-nodes.ts'

export function wishes(text: string): Wishes {
  return wishesOf(parseConfig(text, { path: 'motley.yaml', env: {}, cwd: '/' }))
}

export async function plannedController(clock: Clock): Promise<Controller> {
  return await controller(undefined, {
    clock,
    planning: {
      makePlan: searchLocally,
      settings: () => ({ engines: engineCatalog, reserve: 'none' }),
      replaceAfterMs: () => 120_000,
      demand: () => [],
    },
  })
}
