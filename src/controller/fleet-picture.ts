/**
 * All that is known of the fleet now, on one page: what `motley nodes --json` prints, what the
 * controller plans with, and what anybody else needs in order to plan alike.
 */
import type { Fleet } from '#controller/fleet.ts'
import { nodeViews, replicaViews } from '#controller/fleet-views.ts'
import type { Inventory } from '#placement/inventory.ts'
import { type FleetPicture, fleetPicture, readInventory } from '#placement/read-inventory.ts'

export function pictureOf(fleet: Fleet) {
  const { memory, measurements, failedStarts } = fleet.state
  const nowMs = fleet.clock.nowMs()
  return {
    nodes: nodeViews(fleet),
    frozen: fleet.isFrozen,
    replicas: replicaViews(fleet),
    memory: Object.values(memory),
    speeds: Object.values(measurements),
    failures: Object.values(failedStarts)
      .filter(({ untilMs }) => untilMs > nowMs)
      .map(({ failure, times, untilMs }) => ({ ...failure, times, untilMs })),
  }
}

/** As placement looks at it. */
export function inventoryOf(fleet: Fleet): Inventory {
  const picture: FleetPicture = fleetPicture.parse(pictureOf(fleet))
  return readInventory(picture)
}
