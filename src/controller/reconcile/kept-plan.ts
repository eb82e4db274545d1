/** Plans that were made, as they are kept: to say later why something is where it is. */
import type { CandidateRecord, Plan, PlanStep, Unplaced } from '#placement/plan.ts'

export interface KeptPlan {
  readonly id: string
  readonly madeAtMs: number
  /** What made the controller plan. */
  readonly because: string
  readonly steps: readonly PlanStep[]
  readonly unplaced: readonly Unplaced[]
  readonly candidates: readonly CandidateRecord[]
  readonly optimizer: Plan['optimizer']
}

/**
 * A week of a fleet where something happens every few hours. Each is some kilobytes a deployment, so
 * that 300 deployments keep 50 MB.
 */
export const plansKeptMax = 50

export function keptPlan(plan: Plan, because: string, madeAtMs: number): KeptPlan {
  const { id, steps, unplaced, candidates, optimizer } = plan
  return { id, madeAtMs, because, steps, unplaced, candidates, optimizer }
}
