/** What should run, as people say it: by the configuration of the controller, or by `motley apply`. */
import { createHash } from 'node:crypto'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import type { NodeStatement } from '#placement/read-inventory.ts'

export interface Wishes {
  readonly deployments: readonly WantedDeployment[]
  /** What people say about nodes, by their names. */
  readonly statements: Readonly<Record<string, NodeStatement>>
}

export interface AppliedChange {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/**
 * The configuration is set when it says something else than the last time: what was applied since is
 * not undone by a restart. Throws `StoreError`.
 */
export function setConfigured(fleet: Fleet, wishes: Wishes): void {
  const digest = createHash('sha256').update(JSON.stringify(wishes)).digest('hex')
  const { configurationDigest } = fleet.state
  const isEmpty = wishes.deployments.length === 0 && Object.keys(wishes.statements).length === 0
  if (digest === configurationDigest || (isEmpty && configurationDigest === null)) return
  fleet.append({ type: 'deployments-set', origin: 'configuration', ...wishes, digest })
  fleet.changed('the configuration has changed')
}

/**
 * Everything that is applied: what was applied before and is not among it goes, and what the
 * configuration says stays. Throws `StoreError`, and `ControllerRefusal` for what contradicts it.
 */
export function applyWishes(fleet: Fleet, wishes: Wishes): AppliedChange {
  const before = fleet.state.deployments
  const names = new Set(wishes.deployments.map(({ name }) => name))
  if (names.size < wishes.deployments.length) {
    throw new ControllerRefusal('two deployments have one name: each has its own')
  }
  fleet.append({ type: 'deployments-set', origin: 'applied', ...wishes, digest: null })
  fleet.changed('deployments were applied')
  const after = fleet.state.deployments
  const text = (name: string, of: typeof before) => JSON.stringify(of[name]?.deployment)
  return {
    added: Object.keys(after).filter((name) => !Object.hasOwn(before, name)),
    changed: Object.keys(after).filter(
      (name) => Object.hasOwn(before, name) && text(name, before) !== text(name, after),
    ),
    removed: Object.keys(before).filter((name) => !Object.hasOwn(after, name)),
  }
}
