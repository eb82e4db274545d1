/** The score of a place, term by term: what the search adds up as one number. */
import { deviceRoom } from '#placement/planner/device-room.ts'
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
  const devices = locals.map((local) => site.machineClass.example.devices[local]!)
  const capacityBytes = devices.reduce((sum, one) => sum + deviceRoom(one).capacityBytes, 0)
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
