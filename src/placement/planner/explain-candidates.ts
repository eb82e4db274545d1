/**
 * Why a deployment is, may be or cannot be on a node: every check there is, asked again of the fleet
 * as the plan leaves it. Nothing is kept for it; the same input and plan say the same.
 */
import type { Blocker, FitReplica } from '#placement/fit.ts'
import type { CandidateRecord, Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { nodeChecks } from '#placement/planner/checks/index.ts'
import { placedFit } from '#placement/planner/planned-replica.ts'
import { problemOf, type Unit, type Wish } from '#placement/planner/problem.ts'
import { placeScore } from '#placement/planner/score.ts'
import { Search } from '#placement/planner/search.ts'
import type { RefusedSetup, Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'
import { takenBlockers } from '#placement/planner/taken.ts'

export interface ExplainedCandidate extends CandidateRecord {
  /**
   * Of its blockers those that all have to go for a replica to be there: of the way that comes
   * nearest, where several were tried.
   */
  readonly inTheWay: readonly Blocker[]
}

/** One record for each set of devices that comes into question, the best first; null for all nodes. */
export function explainCandidates(
  input: PlanInput,
  plan: Plan,
  fitReplica: FitReplica,
  deployment: string,
  node: string | null,
): ExplainedCandidate[] {
  const applied = { ...input, inventory: applyPlan(input.inventory, plan) }
  const problem = problemOf(applied, fitReplica)
  const wish = problem.wishes.find((one) => one.deployment.name === deployment)
  if (wish === undefined) return []
  const search = new Search(problem)
  // The place of a replica speaks neither for nor against having one there: they all step aside.
  const own = problem.units.filter((unit) => unit.wish === wish)
  for (const unit of own) if (search.holding(unit) !== null) search.takeAway(unit)
  const chosen = new Set(
    plan.replicas
      .filter((replica) => replica.deployment === deployment)
      .map(({ setting }) => `${setting.node} ${setting.devices.join('+')}`),
  )
  const sites = problem.sites.sites.filter(
    ({ node: one }) => node === null || one.id === node || one.name === node,
  )
  const records = sites.flatMap((site) => siteRecords(search, wish, own[0], site, chosen))
  return withRunnerUp(records).toSorted(byVerdict)
}

function siteRecords(
  search: Search,
  wish: Wish,
  unit: Unit | undefined,
  site: Site,
  chosen: ReadonlySet<string>,
): ExplainedCandidate[] {
  const { problem } = search
  const { deployment } = wish
  const onNode = nodeChecks.flatMap((check) => check.refuse(deployment, site.node) ?? [])
  const { possible, refused } = problem.setupsFor(wish, site.machineClass)
  const failures = problem.input.inventory.failures ?? []
  const records = possible.map((setup): ExplainedCandidate => {
    const { setting, memory } = placedFit(site, setup, setup.ladder.top.fit)
    const isChosen = chosen.has(`${site.node.id} ${setting.devices.join('+')}`)
    const here = failures.filter(
      (one) => one.deployment === deployment.name && one.node === site.node.id,
    )
    const again = search.whyNotAgain(wish, site, setup, here)
    const blockers = isChosen
      ? []
      : [
          ...onNode,
          ...(again === null ? [] : [again]),
          ...takenBlockers(problem.sites, search.after, wish, site, setup),
        ]
    const score = unit === undefined ? null : placeScore(search, unit, site, setup, 0)
    const verdict = isChosen ? 'chosen' : blockers.length > 0 ? 'refused' : 'possible'
    const speedBasis = score === null ? null : setup.ladder.top.fit.speed.basis
    return record(wish, site, setup, { verdict, blockers, score, speedBasis, setting, memory })
  })
  const others = bestRefusals(site, refused, possible).map(
    ({ locals, blockers, fit, nearest }): ExplainedCandidate => ({
      deployment: deployment.name,
      node: site.node.id,
      devices: locals.map((local) => site.node.devices[local]!.id),
      verdict: 'refused',
      blockers: unique([...onNode, ...nearest, ...blockers]),
      inTheWay: unique([...onNode, ...nearest]),
      score: null,
      speedBasis: null,
      setting: null,
      memory: fit?.memory ?? null,
    }),
  )
  return [...records, ...others]
}

function record(
  wish: Wish,
  site: Site,
  setup: Setup,
  rest: Omit<CandidateRecord, 'deployment' | 'node' | 'devices'>,
): ExplainedCandidate {
  const devices = setup.locals.map((local) => site.node.devices[local]!.id)
  const { blockers } = rest
  return {
    deployment: wish.deployment.name,
    node: site.node.id,
    devices,
    inTheWay: blockers,
    ...rest,
  }
}

interface RefusedDevices extends RefusedSetup {
  /** What is against the way that comes nearest. */
  readonly nearest: readonly Blocker[]
}

/** Devices on which nothing fits, with all that was said about each of them. */
function bestRefusals(
  site: Site,
  refused: readonly RefusedSetup[],
  possible: readonly Setup[],
): RefusedDevices[] {
  const good = new Set(possible.map(({ locals }) => locals.join()))
  const byDevices = new Map<string, RefusedDevices>()
  for (const one of refused) {
    // What was said of one of a kind is said of all of the kind.
    const kind = site.machineClass.kinds.find(({ locals }) => locals[0] === one.locals[0])
    const sets =
      one.locals.length === 1 && kind !== undefined
        ? kind.locals.map((local) => [local])
        : [one.locals]
    for (const locals of sets) {
      const key = locals.join()
      if (good.has(key)) continue
      const known = byDevices.get(key)
      const blockers = [...(known?.blockers ?? []), ...one.blockers]
      const isNearer = known === undefined || isNearerThan(one.blockers, known.nearest)
      const nearest = isNearer ? one.blockers : known.nearest
      byDevices.set(key, { locals, blockers, nearest, fit: known?.fit ?? one.fit })
    }
  }
  return [...byDevices.values()]
}

/** Less is against it; of as much, what exceeds least. */
function isNearerThan(one: readonly Blocker[], other: readonly Blocker[]): boolean {
  const worst = (blockers: readonly Blocker[]): number =>
    Math.max(...blockers.map(({ excess }) => excess?.ratio ?? Number.POSITIVE_INFINITY))
  return one.length < other.length || (one.length === other.length && worst(one) < worst(other))
}

function unique(blockers: readonly Blocker[]): Blocker[] {
  const seen = new Set<string>()
  return blockers.filter(({ check, what }) => {
    const key = `${check} ${what}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

function withRunnerUp(records: readonly ExplainedCandidate[]): ExplainedCandidate[] {
  const possible = records.filter(({ verdict }) => verdict === 'possible')
  const [best] = possible.toSorted((a, b) => total(a) - total(b))
  return records.map((one) => (one === best ? { ...one, verdict: 'runner-up' } : one))
}

const order = ['chosen', 'runner-up', 'possible', 'refused']

function byVerdict(a: CandidateRecord, b: CandidateRecord): number {
  return (
    order.indexOf(a.verdict) - order.indexOf(b.verdict) ||
    total(a) - total(b) ||
    (a.node < b.node ? -1 : a.node > b.node ? 1 : 0)
  )
}

function total({ score }: CandidateRecord): number {
  return Object.values(score ?? {}).reduce((sum, term) => sum + term, 0)
}
