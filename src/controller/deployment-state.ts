/**
 * What the controller must not forget of deployments: what is wanted, what was planned and is being
 * carried out, what was tried and failed. A part of the controller's state, made of events like all
 * of it.
 */
import type { ModelOffer } from '#core/config/models.ts'
import type { Deployment } from '#core/deployment.ts'
import type { FailedStart } from '#placement/inventory.ts'
import type { PlanStep } from '#placement/plan.ts'
import type { NodeStatement } from '#placement/read-inventory.ts'
import type { InspectedWeights } from '#protocol/inspected-weights.ts'

/** Whose a deployment is: each of the two says the whole of its own, and leaves the other's alone. */
export const deploymentOrigins = ['configuration', 'applied'] as const
export type DeploymentOrigin = (typeof deploymentOrigins)[number]

/** As it was set: what the headers of its weights say is kept beside it. */
export interface WantedDeployment extends Deployment {
  /** With no replica at least: how long nobody asks before it sleeps. */
  readonly sleepAfterMs: number
}

export interface DeploymentRecord {
  readonly deployment: WantedDeployment
  readonly origin: DeploymentOrigin
}

export interface ServedRecord {
  readonly served: ModelOffer
  readonly origin: DeploymentOrigin
}

export interface StatementRecord {
  readonly statement: NodeStatement
  readonly origin: DeploymentOrigin
}

/** A plan that is being carried out; over when every step is done. */
export interface AdoptedPlan {
  readonly id: string
  /** What made the controller plan. */
  readonly because: string
  readonly adoptedAtMs: number
  readonly steps: readonly PlanStep[]
}

export interface FailedStartRecord {
  readonly failure: FailedStart
  /** In a row. */
  readonly times: number
  /** Until when it is not tried again. */
  readonly untilMs: number
}

/** How long a replica took from the wish to its first answer, its weights being there already. */
export interface StartMeasurement {
  readonly node: string
  readonly engine: string
  readonly source: string
  readonly startMs: number
}

/** How many replicas of a deployment there should be now, and why. */
export interface ScaleRecord {
  readonly wanted: number
  readonly because: string
  readonly sinceMs: number
}

export interface DeploymentState {
  /** How often what is wanted was set: whoever changes it says of which one he knew. */
  readonly revision: number
  /** Who has set it last; null while nobody has. */
  readonly revisedBy: DeploymentOrigin | null
  readonly deployments: Readonly<Record<string, DeploymentRecord>>
  /** By the names of nodes. */
  readonly statements: Readonly<Record<string, StatementRecord>>
  /** By the names of models: how those of deployments are offered to clients. */
  readonly served: Readonly<Record<string, ServedRecord>>
  /** Of the configuration that was set last: the same one is not set again over what was applied. */
  readonly configurationDigest: string | null
  /** By source. */
  readonly inspected: Readonly<Record<string, InspectedWeights>>
  readonly failedStarts: Readonly<Record<string, FailedStartRecord>>
  readonly starts: Readonly<Record<string, StartMeasurement>>
  readonly scales: Readonly<Record<string, ScaleRecord>>
  readonly plan: AdoptedPlan | null
}

export type DeploymentEvent =
  | {
      readonly type: 'deployments-set'
      readonly origin: DeploymentOrigin
      readonly deployments: readonly WantedDeployment[]
      readonly statements: Readonly<Record<string, NodeStatement>>
      /** An event of an earlier version has none. */
      readonly models?: Readonly<Record<string, ModelOffer>>
      /** Of a configuration; null for what was applied. */
      readonly digest: string | null
    }
  | { readonly type: 'weights-inspected'; readonly weights: InspectedWeights }
  | { readonly type: 'plan-adopted'; readonly plan: AdoptedPlan | null }
  | { readonly type: 'start-failed'; readonly failure: FailedStart; readonly untilMs: number }
  /** Somebody says that it may be tried again: as if it had never failed. */
  | { readonly type: 'starts-forgiven'; readonly deployment: string }
  | {
      readonly type: 'start-measured'
      readonly failureKey: string
      readonly start: StartMeasurement | null
    }
  | {
      readonly type: 'replicas-scaled'
      readonly deployment: string
      readonly wanted: number
      readonly because: string
    }

export const noDeployments: DeploymentState = {
  revision: 0,
  revisedBy: null,
  deployments: {},
  statements: {},
  served: {},
  configurationDigest: null,
  inspected: {},
  failedStarts: {},
  starts: {},
  scales: {},
  plan: null,
}

export function applyDeploymentEvent<State extends DeploymentState>(
  state: State,
  event: DeploymentEvent,
  atMs: number,
): State {
  switch (event.type) {
    case 'deployments-set': {
      const { origin, digest } = event
      const deployments = replaceOwn(
        state.deployments,
        origin,
        event.deployments.map((deployment) => [deployment.name, { deployment, origin }]),
      )
      const statements = replaceOwn(
        state.statements,
        origin,
        Object.entries(event.statements).map(([name, statement]) => [name, { statement, origin }]),
      )
      const served = replaceOwn(
        state.served,
        origin,
        Object.entries(event.models ?? {}).map(([name, model]) => [
          name,
          { served: model, origin },
        ]),
      )
      const isWanted = (name: string): boolean => Object.hasOwn(deployments, name)
      return {
        ...state,
        revision: state.revision + 1,
        revisedBy: origin,
        deployments,
        statements,
        served,
        scales: only(state.scales, (name) => isWanted(name)),
        failedStarts: only(state.failedStarts, (_, { failure }) => isWanted(failure.deployment)),
        inspected: stillUsed(state.inspected, deployments),
        configurationDigest: origin === 'configuration' ? digest : state.configurationDigest,
      }
    }
    case 'weights-inspected': {
      const { weights } = event
      return { ...state, inspected: { ...state.inspected, [weights.source]: weights } }
    }
    case 'plan-adopted':
      return { ...state, plan: event.plan }
    case 'start-failed': {
      const { failure, untilMs } = event
      const key = failedStartKey(failure)
      const times = (state.failedStarts[key]?.times ?? 0) + 1
      const failedStarts = { ...state.failedStarts, [key]: { failure, times, untilMs } }
      return { ...state, failedStarts }
    }
    case 'starts-forgiven': {
      const isAnother = (_: string, { failure }: FailedStartRecord): boolean =>
        failure.deployment !== event.deployment
      return { ...state, failedStarts: only(state.failedStarts, isAnother) }
    }
    case 'start-measured': {
      const { [event.failureKey]: _mended, ...failedStarts } = state.failedStarts
      const { start } = event
      const starts = start === null ? state.starts : { ...state.starts, [startKey(start)]: start }
      return { ...state, failedStarts, starts }
    }
    case 'replicas-scaled': {
      const { deployment, wanted, because } = event
      const scales = { ...state.scales, [deployment]: { wanted, because, sinceMs: atMs } }
      return { ...state, scales }
    }
  }
}

/** The same candidate, whatever made it fail. */
export function failedStartKey(of: Omit<FailedStart, 'because'>): string {
  const { deployment, node, devices, engine, backend, source } = of
  return JSON.stringify([deployment, node, [...devices].sort(), engine, backend, source])
}

export function startKey({ node, engine, source }: Omit<StartMeasurement, 'startMs'>): string {
  return JSON.stringify([node, engine, source])
}

/** A name that both have set is the one's who has set it last. */
function replaceOwn<Record extends { readonly origin: DeploymentOrigin }>(
  all: Readonly<{ [name: string]: Record }>,
  origin: DeploymentOrigin,
  own: readonly (readonly [string, Record])[],
): { readonly [name: string]: Record } {
  const others = Object.entries(all).filter(([, record]) => record.origin !== origin)
  return Object.fromEntries([...others, ...own])
}

/** What was read of weights that no deployment names any more is read again when one does. */
function stillUsed(
  inspected: DeploymentState['inspected'],
  deployments: DeploymentState['deployments'],
): DeploymentState['inspected'] {
  const used = new Set(
    Object.values(deployments).flatMap(({ deployment }) =>
      deployment.variants.map(({ source }) => source),
    ),
  )
  return only(inspected, (source) => used.has(source))
}

function only<Value>(
  all: Readonly<Record<string, Value>>,
  test: (name: string, value: Value) => boolean,
): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => test(name, value)))
}
