import type { Fleet } from '#controller/fleet.ts'
import { inventoryOf } from '#controller/fleet-picture.ts'
import { withFacts } from '#controller/reconcile/plan-input.ts'
import type { Deployment } from '#core/deployment.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { quickestStartMs } from '#placement/speed/quickest-start.ts'

/**
 * How soon a replica could answer where none ever ran, of the fleet as it is when first asked. Each
 * deployment is predicted once and only when somebody asks: in a large fleet every one of them looks
 * at a thousand nodes.
 */
export class StartPrediction {
  readonly #fleet: Fleet
  readonly #known = new Map<string, number | null>()
  #nodes: readonly PlacementNode[] | null = null

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** On the node that is the quickest of those that it may be on: a plan prefers it. */
  startMs(deployment: Deployment): number | null {
    let ms = this.#known.get(deployment.name)
    if (ms === undefined) {
      this.#nodes ??= inventoryOf(this.#fleet).nodes
      ms = quickestStartMs(withFacts(deployment, this.#fleet.state), this.#nodes)
      this.#known.set(deployment.name, ms)
    }
    return ms
  }
}
