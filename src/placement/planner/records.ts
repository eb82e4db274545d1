/** Decision records: what spoke for and against each candidate, with every term of its score. */
import type { CandidateRecord } from '#placement/plan.ts'
import { placedFit } from '#placement/planner/planned-replica.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { placeScore } from '#placement/planner/score.ts'
import { type Search, shrunkSeconds } from '#placement/planner/search.ts'
import type { Site } from '#placement/planner/site.ts'

/** What was chosen for every unit, and of each wish the best of the rest. */
export function planRecords(search: Search): CandidateRecord[] {
  return search.problem.units.flatMap((unit) => {
    const holding = search.holding(unit)
    if (holding === null || holding.setup === null) return []
    const { site, setup, rung } = holding
    const mark = search.mark()
    search.takeAway(unit)
    const chosen = placeScore(search, unit, site, setup, shrunkSeconds(holding))
    const runnerUp = runnerUpTo(search, unit, site)
    search.rollBack(mark)
    const { setting, memory } = placedFit(site, setup, setup.ladder.at(rung)!.fit)
    const record: CandidateRecord = {
      deployment: unit.wish.deployment.name,
      node: site.node.id,
      devices: setting.devices,
      verdict: 'chosen',
      blockers: [],
      score: chosen,
      speedBasis: setup.ladder.top.fit.speed.basis,
      setting,
      memory,
    }
    return runnerUp === null ? [record] : [record, runnerUp]
  })
}

function runnerUpTo(search: Search, unit: Unit, chosen: Site): CandidateRecord | null {
  const place = search.findPlace(unit, undefined, false, chosen)
  if (place === null) return null
  const { site, setup, rung } = place
  const { fit, shrunkSeconds: shrunk } = setup.ladder.at(rung)!
  const { setting, memory } = placedFit(site, setup, fit)
  return {
    deployment: unit.wish.deployment.name,
    node: site.node.id,
    devices: setting.devices,
    verdict: 'runner-up',
    blockers: [],
    score: placeScore(search, unit, site, setup, shrunk),
    speedBasis: setup.ladder.top.fit.speed.basis,
    setting,
    memory,
  }
}
