/** Why a deployment has no place: what stands against it on the whole fleet, said once each. */
import type { Blocker } from '#placement/fit.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import { diskChecks } from '#placement/planner/checks/index.ts'
import { foldBlockers } from '#placement/planner/fold-blockers.ts'
import { nodeRefusals } from '#placement/planner/node-refusals.ts'
import type { Wish } from '#placement/planner/problem.ts'
import type { Search } from '#placement/planner/search.ts'
import { takenBlockers } from '#placement/planner/taken.ts'
import { withEngines } from '#placement/planner/with-engines.ts'

/** Reasons are for reading: those that tell least are told last, or not at all. */
const reasonsMax = 6

/**
 * How much a reason tells, the most first: what was tried and failed; what nearly had a place and
 * lacks speed, room or company; then what is against it by everybody's words about nodes and devices;
 * then engines that do not run there, and last those that nobody meant or installed. Of a kind, what
 * holds for most nodes.
 */
const nearest = [
  'model-task',
  'targets',
  'latency',
  'memory',
  'share',
  'awayFrom',
  'disk',
  'facts',
  'context',
]
const furthest = ['backend', 'nodes', 'format', 'task', 'engines', 'installed']

function weightOf({ check }: Blocker): number {
  if (check === 'failed') return -2
  if (nearest.includes(check)) return -1
  return furthest.indexOf(check) + 1
}

function wordsOf({ check, what }: Blocker): string {
  return `${check}: ${what}`
}

/** Where there is no device, there is nobody who could be against it. */
function nobodyToAsk(nodes: number): Blocker {
  return {
    check: 'device',
    what:
      nodes === 0
        ? 'there is no node'
        : `of ${nodes === 1 ? 'the only node' : `all ${nodes} nodes`}, no device is known that could be used`,
    unlockedBy:
      nodes === 0
        ? 'a node that has joined, as "motley token" says how'
        : 'a device that "motley detect" finds there',
  }
}

export function whyNowhere(search: Search, wish: Wish): Blocker[] {
  const { problem } = search
  const found = new Map<string, { blocker: Blocker; times: number; on: Set<string> }>()
  const add = (blocker: Blocker, nodes: readonly PlacementNode[]) => {
    const key = wordsOf(blocker)
    const entry = found.get(key) ?? { blocker, times: 0, on: new Set<string>() }
    entry.blocker = withEngines(entry.blocker, blocker.engines)
    entry.times += 1
    for (const { name } of nodes) entry.on.add(name)
    found.set(key, entry)
  }
  for (const machineClass of problem.sites.classes) {
    const open = problem.sitesFor(wish, machineClass)
    const openIndexes = new Set(open.map(({ site }) => site.index))
    for (const site of machineClass.sites) {
      if (openIndexes.has(site.index)) continue
      for (const blocker of nodeRefusals(wish.deployment, site.node)) add(blocker, [site.node])
    }
    if (open.length === 0) continue
    const { possible, refused } = problem.setupsFor(wish, machineClass)
    if (possible.length === 0) {
      const nodes = open.map(({ site }) => site.node)
      for (const blocker of refused.flatMap(({ blockers }) => blockers)) add(blocker, nodes)
    }
    for (const { site, failures } of open) {
      for (const variant of wish.deployment.variants) {
        for (const check of diskChecks) {
          const blocker = check.refuse(wish.deployment, { variant }, site.node)
          if (blocker !== null) add(blocker, [site.node])
        }
      }
      const untried = possible.filter((setup) => {
        const blocker = search.whyNotAgain(wish, site, setup, failures)
        if (blocker !== null) add(blocker, [site.node])
        return blocker === null
      })
      const [best] = untried
      if (best !== undefined) {
        for (const blocker of takenBlockers(problem.sites, search.after, wish, site, best)) {
          add(blocker, [site.node])
        }
      }
    }
  }
  if (found.size === 0) add(nobodyToAsk(problem.input.inventory.nodes.length), [])
  const timesOf = (blocker: Blocker) => found.get(wordsOf(blocker))?.times ?? 1
  return foldBlockers([...found.values()].map(({ blocker, on }) => ({ ...blocker, on: [...on] })))
    .toSorted((a, b) => weightOf(a) - weightOf(b) || timesOf(b) - timesOf(a))
    .slice(0, reasonsMax)
    .map(withoutKnownNodes)
}

/** A reason that names its node says it once. */
function withoutKnownNodes({ on = [], ...blocker }: Blocker): Blocker {
  const isNamed = on.length === 0 || on.some((name) => blocker.what.includes(name))
  return isNamed ? blocker : { ...blocker, on }
}
