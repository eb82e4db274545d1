/** What the search found, as replicas and steps. */
import type { Blocker } from '#placement/fit.ts'
import type { PlacedReplica } from '#placement/inventory.ts'
import { offloadText } from '#placement/offload-text.ts'
import type { PlannedReplica, PlanStep, Unplaced } from '#placement/plan.ts'
import { type Holding, holdingOfRunning } from '#placement/planner/arrangement.ts'
import { isOnlySilent } from '#placement/planner/node-refusals.ts'
import { plannedReplica } from '#placement/planner/planned-replica.ts'
import type { Problem, Unit, Wish } from '#placement/planner/problem.ts'
import { whyNowhere } from '#placement/planner/refusals.ts'
import type { Search } from '#placement/planner/search.ts'
import { orderSteps, type PendingStart, type PendingStop } from '#placement/planner/steps.ts'

export interface Outcome {
  readonly replicas: readonly PlannedReplica[]
  readonly steps: readonly PlanStep[]
  readonly unplaced: readonly Unplaced[]
}

export function outcomeOf(search: Search): Outcome {
  const { problem } = search
  const nextId = replicaNames(problem)
  const replicas: PlannedReplica[] = []
  const starts: PendingStart[] = []
  const running: Holding[] = problem.untouched.map((one) => holdingOfRunning(one, null, null))
  const stops: PendingStop[] = []

  for (const unit of problem.units) {
    const { wish, keeps, replaces } = unit
    const holding = search.holding(unit)
    const keep = search.keep(unit)
    if (holding !== null) {
      const stays = holding === keep
      const id = stays ? keeps!.replica.id : nextId(wish.deployment.name)
      const replica = plannedReplica(problem, search.after, id, wish, holding)
      replicas.push(replica)
      if (!stays) {
        const succeeds = (keeps ?? replaces)?.replica ?? goneOf(problem, unit)
        starts.push({
          replica,
          holding,
          because: [whyStart(search, unit, succeeds), ...concessions(replica)].join('; '),
          succeeds: succeeds?.id ?? null,
          priority: wish.priority,
        })
      }
    }
    if (keep !== null) {
      running.push(keep)
      if (holding !== keep) stops.push(displacedStop(search, unit, keep, holding))
    }
    if (replaces !== null) {
      const old = holdingOfRunning(replaces, wish, unit.index, true)
      running.push(old)
      if (search.predecessor(unit) === null) stops.push(replacedStop(search, unit, old, holding))
    }
  }
  for (const { running: one, wish, because } of problem.leaving) {
    const holding = holdingOfRunning(one, wish, null)
    running.push(holding)
    stops.push({
      replica: one.replica,
      holding,
      because,
      evictedFor: null,
      mayInterrupt: true,
      isWanted: wish !== null && wish.wanted > 0,
      priority: wish?.priority ?? -1,
    })
  }
  for (const { replica, unit } of problem.gone) {
    // Until somebody takes its stead, it may come back with its node, and be as good as new.
    if (unit !== null && search.holding(problem.units[unit]!) === null) continue
    const because = `${nodeName(problem, replica)} is lost`
    const fixed = { holding: null, evictedFor: null, mayInterrupt: false, isWanted: true }
    stops.push({ ...fixed, replica, because, priority: -1 })
  }
  return {
    replicas,
    steps: orderSteps(problem.sites, running, starts, stops),
    unplaced: unplacedOf(search),
  }
}

function displacedStop(
  search: Search,
  unit: Unit,
  keep: Holding,
  now: Holding | null,
): PendingStop {
  const taker = search.evictor(unit) ?? takerOf(search, keep)
  const name = taker?.deployment.name ?? null
  const isHigher = taker !== null && taker.priority > unit.wish.priority
  const why =
    now === null
      ? `${name ?? 'another one'} needs its place, and nothing else has room for it`
      : `${name ?? 'another one'} needs its place; it goes on at ${now.site.node.name}`
  return {
    replica: keep.running!,
    holding: keep,
    because: why,
    evictedFor: name,
    mayInterrupt: isHigher,
    isWanted: true,
    priority: unit.wish.priority,
  }
}

function replacedStop(
  search: Search,
  unit: Unit,
  old: Holding,
  successor: Holding | null,
): PendingStop {
  const taker = successor === null ? (search.evictor(unit) ?? takerOf(search, old)) : null
  const because =
    taker === null
      ? `${unit.wish.deployment.name} is to run in another way now`
      : `${taker.deployment.name} needs its place`
  return {
    replica: old.running!,
    holding: old,
    because,
    evictedFor: taker?.deployment.name ?? null,
    mayInterrupt: true,
    isWanted: true,
    priority: unit.wish.priority,
  }
}

/** The most important of those that are planned where somebody was. */
function takerOf(search: Search, { site, locals }: Holding): Wish | null {
  const planned = search.after.onSite(site).filter(({ running }) => running === null)
  const onDevice = planned.filter((other) => other.locals.some((local) => locals.includes(local)))
  const takers = (onDevice.length > 0 ? onDevice : planned).flatMap(({ wish }) => wish ?? [])
  takers.sort((a, b) => b.priority - a.priority || a.index - b.index)
  return takers[0] ?? null
}

function whyStart(search: Search, unit: Unit, before: PlacedReplica | null): string {
  const { problem } = search
  const { deployment, wanted } = unit.wish
  const running = problem.units.filter(
    ({ wish, keeps }) => wish === unit.wish && keeps !== null,
  ).length
  if (before === null) {
    return `${wanted} of ${deployment.name} wanted, and ${running} running`
  }
  const from = nodeName(problem, before)
  if (unit.keeps !== null) return `moves from ${from}, to make room there`
  if (unit.replaces !== null) return `takes over from ${before.id} on ${from}`
  return `${before.id} was on ${from}, which is lost`
}

/** What its owner has allowed to be given up, and is. */
function concessions({ setting: { kvCacheType, offload } }: PlannedReplica): string[] {
  return [
    ...(kvCacheType === 'f16' ? [] : [`kvCacheTypes allows ${kvCacheType}`]),
    ...(offload === null ? [] : [`offload allows ${offloadText(offload)} on the CPU`]),
  ]
}

function goneOf(problem: Problem, unit: Unit): PlacedReplica | null {
  return problem.gone.find((one) => one.unit === unit.index)?.replica ?? null
}

function nodeName({ sites }: Problem, replica: PlacedReplica): string {
  return sites.byNode.get(replica.node)?.node.name ?? replica.node
}

/** The deployment and the next free number. */
function replicaNames({ input }: Problem): (deployment: string) => string {
  const taken = new Set(input.inventory.replicas.map(({ id }) => id))
  const next = new Map<string, number>()
  return (deployment) => {
    let number = next.get(deployment) ?? 0
    while (taken.has(`${deployment}-${number}`)) number += 1
    next.set(deployment, number + 1)
    return `${deployment}-${number}`
  }
}

function unplacedOf(search: Search): Unplaced[] {
  const { problem } = search
  return problem.wishes.flatMap((wish) => {
    const missing = problem.units.filter(
      (unit) => unit.wish === wish && search.holding(unit) === null,
    )
    if (missing.length === 0) return []
    const because: readonly Blocker[] = whyNowhere(search, wish)
    return [
      {
        deployment: wish.deployment.name,
        missing: missing.length,
        because,
        waitsFor: waitsFor(problem, wish, missing),
      },
    ]
  })
}

function waitsFor(problem: Problem, wish: Wish, missing: readonly Unit[]): string[] {
  const silent = problem.sites.sites
    .filter(({ node }) => isOnlySilent(wish.deployment, node))
    .map(({ node }) => `${node.name}, which is ${node.presence}`)
  const unread = wish.deployment.variants
    .filter(({ facts }) => facts === null)
    .map(({ source }) => `what the headers of ${source} say`)
  const outdated = missing.flatMap(({ replaces }) =>
    replaces === null ? [] : [`room for a successor of ${replaces.replica.id}, which runs on`],
  )
  return [...outdated, ...unread, ...silent.slice(0, silentMax)]
}

/** The names of all nodes of a fleet that fell silent would bury what else there is to read. */
const silentMax = 3
