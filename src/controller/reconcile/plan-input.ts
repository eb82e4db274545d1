/** The question of a plan, from what the controller remembers and what agents tell. */
import type { DeploymentState, WantedDeployment } from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import { inventoryOf } from '#controller/fleet-picture.ts'
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import type { EngineCatalog } from '#core/engine-facts.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { withManualHolds } from '#placement/manual-holds.ts'
import type { PlanInput } from '#placement/plan.ts'
import { ownValue } from '#std/own-value.ts'

export interface PlanSettings {
  readonly engines: EngineCatalog
  readonly reserve: PlanInput['reserve']
}

export function planInputOf(fleet: Fleet, { engines, reserve }: PlanSettings): PlanInput {
  const { state } = fleet
  return {
    deployments: wantedDeployments(state).map((deployment) => withFacts(deployment, state)),
    inventory: withManualHolds(inventoryOf(fleet), engines, (source) => factsOf(source, state)),
    engines,
    wantedReplicas: Object.fromEntries(
      wantedDeployments(state).map((deployment) => [
        deployment.name,
        wantedReplicasOf(state, deployment),
      ]),
    ),
    reserve,
    frozen: fleet.isFrozen,
  }
}

export function wantedDeployments({
  deployments,
}: Pick<DeploymentState, 'deployments'>): WantedDeployment[] {
  return Object.values(deployments).map(({ deployment }) => deployment)
}

/** As load and requests made it, within what is allowed now. */
export function wantedReplicasOf(
  state: Pick<DeploymentState, 'scales'>,
  deployment: WantedDeployment,
): number {
  const { name, replicas } = deployment
  const scale = ownValue(state.scales, name)
  return Math.min(replicas.max, Math.max(replicas.min, scale?.wanted ?? replicas.min))
}

/** What is known of a source, by whoever wants it; null while nobody has read it. */
export function factsOf(
  source: string,
  { inspected, deployments }: Pick<DeploymentState, 'inspected' | 'deployments'>,
): ModelFacts | null {
  const read = ownValue(inspected, source)
  if (read !== undefined) return read.facts
  const variants = Object.values(deployments).flatMap(({ deployment }) => deployment.variants)
  return (
    variants.find((variant) => variant.source === source && variant.facts !== null)?.facts ?? null
  )
}

/** What an agent has read of the headers says more than what the source looks like. */
export function withFacts(
  deployment: Deployment,
  { inspected }: Pick<DeploymentState, 'inspected'>,
): Deployment {
  const variants = deployment.variants.map((variant): ModelVariant => {
    const read = ownValue(inspected, variant.source)
    if (read === undefined) return variant
    return { ...variant, format: read.facts.format, facts: read.facts }
  })
  return { ...deployment, variants }
}
