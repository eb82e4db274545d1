/** Checks that depend on who else is there: sharing, distance, free memory. */
import type { Blocker } from '#placement/fit.ts'
import type { Arrangement } from '#placement/planner/arrangement.ts'
import type { Wish } from '#placement/planner/problem.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site, Sites } from '#placement/planner/site.ts'
import { gibibytes } from '#placement/planner/words.ts'

/** Everything that keeps one more replica of a wish from these devices now. */
export function takenBlockers(
  sites: Sites,
  arrangement: Arrangement,
  wish: Wish,
  site: Site,
  setup: Setup,
): Blocker[] {
  const { share, name } = wish.deployment
  const { node } = site
  const blockers: Blocker[] = []
  for (const { wish: other } of arrangement.onSite(site)) {
    if (other === null || !wish.awayFrom.has(other.index)) continue
    const what =
      other === wish
        ? `${node.name} has a replica of ${name} already, and it keeps away from itself`
        : `${node.name} has ${other.deployment.name}, and the two keep away from each other`
    blockers.push({ check: 'awayFrom', what, unlockedBy: 'constraints.awayFrom without it' })
    break
  }
  for (const local of setup.locals) {
    const device = node.devices[local]!
    const others = arrangement.residents[site.firstDevice + local]!
    const names = [...new Set(others.map(nameOf))].toSorted()
    const unwilling = [...new Set(others.filter((other) => !other.share).map(nameOf))].toSorted()
    if (unwilling.length > 0 || (others.length > 0 && !share)) {
      const who = unwilling.length > 0 ? unwilling.join(', ') : name
      blockers.push({
        check: 'share',
        what: `${device.id} on ${node.name} holds ${names.join(', ')}, and ${who} does not share`,
        unlockedBy: `share: true for ${who}`,
      })
    }
  }
  const rung = setup.ladder.all.at(-1)!
  if (!arrangement.hasRoom(site, setup.locals, rung.needBytes, rung.hostBytes)) {
    for (const [at, local] of setup.locals.entries()) {
      const device = node.devices[local]!
      const free =
        sites.capacityBytes[site.firstDevice + local]! - arrangement.usedBytes(site, local)
      const need = rung.needBytes[at]!
      blockers.push({
        check: 'memory',
        what:
          free < need
            ? `${device.id} on ${node.name} has ${gibibytes(Math.max(0, free))} free, and ${name} needs ${gibibytes(need)} there`
            : `the memory of ${node.name}, which ${device.id} uses too, has too little free`,
        unlockedBy: free < need ? `${gibibytes(need - free)} more on ${device.id}` : null,
      })
    }
  }
  return blockers
}

function nameOf({ wish, running }: { wish: Wish | null; running: { id: string } | null }): string {
  return wish?.deployment.name ?? running?.id ?? 'something'
}
