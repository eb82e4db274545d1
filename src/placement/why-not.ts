/** Why a deployment is not on a node: what stands against it there, or what is better elsewhere. Pure. */
import type { Blocker, FitReplica } from '#placement/fit.ts'
import type { CandidateRecord, Plan, PlanInput } from '#placement/plan.ts'
import {
  type ExplainedCandidate,
  explainCandidates,
} from '#placement/planner/explain-candidates.ts'
import { foldBlockers, reasonKey } from '#placement/planner/fold-blockers.ts'

export interface WhyNot {
  /** `there`: it is, or is planned to be. `possible`: it could. `refused`: something is against it. */
  readonly verdict: 'there' | 'possible' | 'refused'
  /** Each once: what is in the way before what is against other devices and engines there. */
  readonly blockers: readonly Blocker[]
  /** The first of them: all that has to go for a replica to be there, in the place that comes nearest. */
  readonly inTheWay: readonly Blocker[]
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
  if (there !== undefined) return { verdict: 'there', ...nothing, here: there, chosen }
  const here = records.find(({ verdict }) => verdict !== 'refused')
  if (here !== undefined) return { verdict: 'possible', ...nothing, here, chosen }
  return { verdict: 'refused', ...blockersOf(records), here: null, chosen }
}

const nothing = { blockers: [], inTheWay: [] }

/** What somebody has asked for of devices and engines tells less than what is in the way of it. */
const asked = ['format', 'task', 'engines', 'backends', 'minVram']

function blockersOf(records: readonly ExplainedCandidate[]): Pick<WhyNot, 'blockers' | 'inTheWay'> {
  const nearest = nearestOf(records)
  const near = nearest.flatMap(({ inTheWay }) => inTheWay)
  const far = records
    .flatMap(({ blockers }) => blockers)
    .toSorted((one, other) => asked.indexOf(one.check) - asked.indexOf(other.check))
  const keys = new Set(near.map(reasonKey))
  const blockers = foldBlockers([...near, ...far])
  return { blockers, inTheWay: blockers.filter((one) => keys.has(reasonKey(one))) }
}

/** Those with least against them: devices that were not asked for are far, and no devices farthest. */
function nearestOf(records: readonly ExplainedCandidate[]): ExplainedCandidate[] {
  const distanceOf = ({ devices, inTheWay }: ExplainedCandidate): number =>
    inTheWay.length +
    (inTheWay.some(({ check }) => asked.includes(check)) ? farther : 0) +
    (devices.length === 0 ? 2 * farther : 0)
  const least = Math.min(...records.map(distanceOf))
  return records.filter((record) => distanceOf(record) === least)
}

/** More than there are checks. */
const farther = 100
