/** The score of a place, term by term: what the search adds up as one number. */
import { emptyRoom } from '#placement/planner/empty-room.ts'
import type { Unit } from '#placement/planner/problem.ts'
import { nodeRanks, ranks } from '#placement/planner/ranks/index.ts'
import type { Search } from '#placement/planner/search.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site } from '#placement/planner/site.ts'

export function placeScore(
  search: Search,
  unit: Unit,
  site: Site,
  setup: Setup,
  shrunk: number,
): Record<string, number> {
  const { deployment } = unit.wish
  const { variantIndex, engineIndex, locals, ladder } = setup
  const { example } = site.machineClass
  const devices = locals.map((local) => example.devices[local]!)
  const capacityBytes = devices.reduce((sum, one) => sum + emptyRoom(one, example).capacityBytes, 0)
  const { fit } = ladder.top
  const question = { deployment, variantIndex, engineIndex, devices, capacityBytes, fit }
  const terms: Record<string, number> = {}
  const add = (name: string, seconds: number) => {
    if (seconds !== 0) terms[name] = (terms[name] ?? 0) + seconds
  }
  for (const rank of ranks) add(rank.name, rank.seconds(question))
  for (const rank of nodeRanks) add(rank.name, rank.seconds(deployment, variantIndex, site.node))
  add('shrunk', shrunk)
  add('company', search.after.companySeconds(site, locals, unit.wish))
  return terms
}
