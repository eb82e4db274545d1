/** Why a deployment is not on a node: what stands against it there, or what is better elsewhere. Pure. */
import type { Blocker, FitReplica } from '#placement/fit.ts'
import type { CandidateRecord, Plan, PlanInput } from '#placement/plan.ts'
import { explainCandidates } from '#placement/planner/explain-candidates.ts'
import { foldBlockers } from '#placement/planner/fold-blockers.ts'

export interface WhyNot {
  /** `there`: it is, or is planned to be. `possible`: it could. `refused`: something is against it. */
  readonly verdict: 'there' | 'possible' | 'refused'
  /** Each once, what is in the way before what somebody has asked for. */
  readonly blockers: readonly Blocker[]
  /** As it would be there, beside what is planned there already. */
  readonly here: CandidateRecord | null
  /** Where it is planned to be. */
  readonly chosen: readonly CandidateRecord[]
}

/** `node` is an id; `devices`: only places that have one of these of the node. */
export function whyNot(
  input: PlanInput,
  plan: Plan,
  fitReplica: FitReplica,
  of: {
    readonly deployment: string
    readonly node: string
    readonly devices?: readonly string[]
  },
): WhyNot {
  const chosen = plan.candidates.filter(
    ({ deployment, verdict }) => deployment === of.deployment && verdict === 'chosen',
  )
  const all = explainCandidates(input, plan, fitReplica, of.deployment, of.node)
  const { devices } = of
  const records =
    devices === undefined
      ? all
      : all.filter((record) => record.devices.some((device) => devices.includes(device)))
  const there = records.find(({ verdict }) => verdict === 'chosen')
  if (there !== undefined) return { verdict: 'there', blockers: [], here: there, chosen }
  const here = records.find(({ verdict }) => verdict !== 'refused')
  if (here !== undefined) return { verdict: 'possible', blockers: [], here, chosen }
  return { verdict: 'refused', blockers: blockersOf(records), here: null, chosen }
}

/** What somebody has asked for tells less than what is in the way of it. */
const asked = ['nodes', 'format', 'task', 'engines']

function blockersOf(records: readonly CandidateRecord[]): Blocker[] {
  return foldBlockers(records.flatMap(({ blockers }) => blockers)).toSorted(
    (one, other) => asked.indexOf(one.check) - asked.indexOf(other.check),
  )
}
