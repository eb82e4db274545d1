/** What should run, as people say it: by the configuration of the controller, or by `motley apply`. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type {
  DeploymentOrigin,
  DeploymentState,
  WantedDeployment,
} from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import type { ModelOffer } from '#core/config/models.ts'
import { nodeId } from '#core/ids.ts'
import type { NodeStatement } from '#placement/read-inventory.ts'
import { ownValue } from '#std/own-value.ts'

export interface Wishes {
  readonly deployments: readonly WantedDeployment[]
  /** What people say about nodes, by their names. */
  readonly statements: Readonly<Record<string, NodeStatement>>
  /** How the models of the deployments are offered, by their names. */
  readonly models: Readonly<Record<string, ModelOffer>>
}

export interface AppliedChange {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** Nodes of which something else is said. */
  readonly nodes: readonly string[]
  /** Models that are offered in another way. */
  readonly models: readonly string[]
}

/** What wishes are measured against. */
export type Wanted = Pick<DeploymentState, 'deployments' | 'statements' | 'served'>

/**
 * The configuration is set when it says something else than the last time: what was applied since is
 * not undone by a restart. Throws `StoreError`.
 */
export function setConfigured(fleet: Fleet, wishes: Wishes): void {
  const digest = createHash('sha256').update(JSON.stringify(wishes)).digest('hex')
  const { configurationDigest, deployments } = fleet.state
  const isEmpty = wishes.deployments.length === 0 && Object.keys(wishes.statements).length === 0
  if (digest === configurationDigest || (isEmpty && configurationDigest === null)) return
  const taken = wishes.deployments.filter(({ name }) => deployments[name]?.origin === 'applied')
  fleet.append({ type: 'deployments-set', origin: 'configuration', ...wishes, digest })
  for (const { name } of taken) {
    fleet.log(`${name} had been applied, and is from now on what the configuration says`)
  }
  fleet.changed('the configuration has changed')
  fleet.endpointsChanged()
}

/**
 * Everything that is applied: what was applied before and is not among it goes, and what the
 * configuration says stays. `revision`: what was wanted when these wishes were made; null where that
 * does not matter. Throws `StoreError`, and `ControllerRefusal` for what contradicts either.
 */
export function applyWishes(
  fleet: Fleet,
  wishes: Wishes,
  revision: number | null = null,
): AppliedChange {
  const { state } = fleet
  if (revision !== null && revision !== state.revision) {
    const who =
      state.revisedBy === 'configuration'
        ? 'the configuration of the controller has changed'
        : 'somebody has applied other deployments'
    throw new ControllerRefusal(
      `${who} since your plan was made, and nothing was applied: run "motley plan" again, and apply what you want then`,
    )
  }
  const { own, change } = settleWishes(state, wishes)
  if (isNothing(change)) return change
  fleet.append({ type: 'deployments-set', origin: 'applied', ...own, digest: null })
  fleet.changed('deployments were applied')
  fleet.endpointsChanged()
  return change
}

/**
 * Whoever has mended what made starts fail does not wait until they are tried again. Returns where
 * they had failed. Throws `ControllerRefusal` for a deployment that is not there.
 */
export function retryStarts(fleet: Fleet, deployment: string): { readonly nodes: string[] } {
  const { deployments, failedStarts } = fleet.state
  if (!Object.hasOwn(deployments, deployment)) {
    const there = Object.keys(deployments).join(', ')
    throw new ControllerRefusal(
      `there is no deployment "${deployment}"; there is ${there === '' ? 'none' : there}`,
    )
  }
  const nodes = Object.values(failedStarts)
    .filter(({ failure }) => failure.deployment === deployment)
    .map(({ failure }) => fleet.nameOf(nodeId(failure.node)))
  if (nodes.length === 0) return { nodes }
  fleet.append({ type: 'starts-forgiven', deployment })
  fleet.changed(`somebody wants ${deployment} to be tried again`)
  return { nodes: [...new Set(nodes)] }
}

export function isNothing(change: AppliedChange): boolean {
  return Object.values(change).every((names: readonly string[]) => names.length === 0)
}

/**
 * What is left to be applied of wishes, and what that changes. What the configuration says already
 * stays its own. Throws `ControllerRefusal` where it says otherwise.
 */
export function settleWishes(
  wanted: Wanted,
  { deployments, statements, models }: Wishes,
): { readonly own: Wishes; readonly change: AppliedChange } {
  if (new Set(deployments.map(({ name }) => name)).size < deployments.length) {
    throw new ControllerRefusal('two deployments have one name: each has its own')
  }
  const own: Wishes = {
    deployments: deployments.filter(
      (one) =>
        !isConfigured(`"${one.name}"`, ownValue(wanted.deployments, one.name), (there) =>
          isSame(withoutFacts(there.deployment), withoutFacts(one)),
        ),
    ),
    statements: Object.fromEntries(
      Object.entries(statements).filter(
        ([name, one]) =>
          !isConfigured(`the node "${name}"`, ownValue(wanted.statements, name), (there) =>
            isSame(there.statement, one),
          ),
      ),
    ),
    models: Object.fromEntries(
      Object.entries(models).filter(
        ([name, one]) =>
          !isConfigured(`the model "${name}"`, ownValue(wanted.served, name), (there) =>
            isSame(there.served, one),
          ),
      ),
    ),
  }
  return { own, change: changeOf(wanted, own) }
}

/** Whether the configuration says the very same. Throws `ControllerRefusal` where it says otherwise. */
function isConfigured<Said extends { readonly origin: DeploymentOrigin }>(
  what: string,
  there: Said | undefined,
  isTheSame: (there: Said) => boolean,
): boolean {
  if (there?.origin !== 'configuration') return false
  if (isTheSame(there)) return true
  throw new ControllerRefusal(
    `${what} belongs to the configuration of the controller, which says otherwise: change it there, or give yours another name`,
  )
}

function changeOf({ deployments, statements, served }: Wanted, own: Wishes): AppliedChange {
  const change = differences(
    applied(deployments).map(([name, { deployment }]) => [name, deployment]),
    own.deployments.map((deployment) => [deployment.name, deployment]),
  )
  const nodes = differences(
    applied(statements).map(([name, { statement }]) => [name, statement]),
    Object.entries(own.statements),
  )
  const models = differences(
    applied(served).map(([name, record]) => [name, record.served]),
    Object.entries(own.models),
  )
  return { ...change, nodes: Object.values(nodes).flat(), models: Object.values(models).flat() }
}

function applied<Said extends { readonly origin: DeploymentOrigin }>(
  all: Readonly<Record<string, Said>>,
): [string, Said][] {
  return Object.entries(all).filter(([, { origin }]) => origin === 'applied')
}

type Named<Value> = readonly (readonly [string, Value])[]

function differences<Value>(before: Named<Value>, after: Named<Value>) {
  const [old, now] = [new Map(before), new Map(after)]
  const names = [...now.keys()]
  return {
    added: names.filter((name) => !old.has(name)),
    changed: names.filter((name) => old.has(name) && !isSame(old.get(name), now.get(name))),
    removed: [...old.keys()].filter((name) => !now.has(name)),
  }
}

/** Another version of Motley may know more of the same weights. */
function withoutFacts({ variants, ...deployment }: WantedDeployment): unknown {
  return {
    ...deployment,
    variants: variants.map(({ source, engines, format }) => ({ source, engines, format })),
  }
}

/** As they are written down: what came over the wire has lost what was undefined. */
function isSame(one: unknown, other: unknown): boolean {
  const written = (value: unknown) => JSON.parse(JSON.stringify(value ?? null)) as unknown
  return isDeepStrictEqual(written(one), written(other))
}
