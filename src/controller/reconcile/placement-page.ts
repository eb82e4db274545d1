/**
 * Everything that a plan follows from, and how far the current one is. Commands plan with it in
 * their own process: the same code, and so the same plan as here.
 */
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { Fleet } from '#controller/fleet.ts'
import { pictureOf } from '#controller/fleet-picture.ts'
import type { Outlook } from '#controller/reconcile/carry-out.ts'
import { wantedDeployments, wantedReplicasOf, withFacts } from '#controller/reconcile/plan-input.ts'
import type { Deployment } from '#core/deployment.ts'
import type { PlanInput } from '#placement/plan.ts'
import { ownValue } from '#std/own-value.ts'

export type PlacementPage = ReturnType<typeof placementPage>

export interface PageFacts {
  /** Null while nothing is planned. */
  readonly outlook: Outlook | null
  readonly failureToRead: (source: string) => string | null
}

export function placementPage(fleet: Fleet, reserve: PlanInput['reserve'], facts: PageFacts) {
  const { state } = fleet
  const wanted = wantedDeployments(state)
  return {
    ...pictureOf(fleet),
    /** By the clock that all other times here are of: that of whoever asks may be another. */
    nowMs: fleet.clock.nowMs(),
    /** As it was set, and what is known besides: what applying something else would change. */
    wanted: {
      revision: state.revision,
      revisedBy: state.revisedBy,
      deployments: state.deployments,
      statements: state.statements,
      served: state.served,
      inspected: state.inspected,
      scales: state.scales,
    },
    deployments: wanted.map((deployment) => withFacts(deployment, state)),
    /** Whose each is, and how many replicas it should have now and why. */
    standings: Object.fromEntries(
      wanted.map((deployment) => [deployment.name, standingOf(fleet, deployment, facts)]),
    ),
    reserve,
    plan:
      state.plan === null
        ? null
        : {
            id: state.plan.id,
            because: state.plan.because,
            adoptedAtMs: state.plan.adoptedAtMs,
            steps: state.plan.steps.map(({ step }) => step),
            underWay: facts.outlook?.underWay.map(({ step }) => step) ?? [],
          },
  }
}

function standingOf(fleet: Fleet, deployment: WantedDeployment, facts: PageFacts) {
  const { state } = fleet
  const { name } = deployment
  const scale = ownValue(state.scales, name)
  return {
    origin: state.deployments[name]?.origin ?? 'applied',
    wanted: wantedReplicasOf(state, deployment),
    because: scale?.because ?? null,
    unread: unreadOf(withFacts(deployment, state), facts),
  }
}

/** Sources whose headers nobody has read yet, and why. */
function unreadOf({ variants }: Deployment, { failureToRead }: PageFacts) {
  return variants.flatMap(({ source, facts }) =>
    facts === null ? [{ source, because: failureToRead(source) }] : [],
  )
}
