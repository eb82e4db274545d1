/** Checks that depend on who else is there: sharing, distance, free memory. */

import { memoryText } from '#core/memory-text.ts'
import type { Blocker } from '#placement/fit.ts'
import type { Arrangement } from '#placement/planner/arrangement.ts'
import type { Rung } from '#placement/planner/ladder.ts'
import type { Wish } from '#placement/planner/problem.ts'
import type { Setup } from '#placement/planner/setup.ts'
import type { Site, Sites } from '#placement/planner/site.ts'
import { withEngine } from '#placement/planner/with-engines.ts'

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
      const who = (unwilling.length > 0 ? unwilling : [name]).join(', ')
      // All on a device have to: naming some would lead to the next plan naming the others.
      const needed = share ? unwilling : [...new Set([name, ...unwilling])]
      blockers.push({
        check: 'share',
        what: `${device.id} on ${node.name} holds ${names.join(', ')}, and ${who} does not share`,
        unlockedBy: `share: true for ${needed.join(' and ')}`,
      })
    }
  }
  const rung = setup.ladder.all.at(-1)!
  if (!arrangement.hasRoom(site, setup.locals, rung.needBytes, rung.hostBytes)) {
    const { engine } = setup.ladder.top.fit.setting
    const missing = memoryBlockers(sites, arrangement, wish, site, setup.locals, rung)
    blockers.push(...missing.map((one) => withEngine(one, engine)))
  }
  return blockers
}

/** Of each device with too little, or of the machine where they all take of its memory. */
function memoryBlockers(
  sites: Sites,
  arrangement: Arrangement,
  { deployment: { name } }: Wish,
  site: Site,
  locals: readonly number[],
  { needBytes, hostBytes }: Pick<Rung, 'needBytes' | 'hostBytes'>,
): Blocker[] {
  const { node } = site
  const full = locals.flatMap((local, at): Blocker[] => {
    const { id } = node.devices[local]!
    const capacity = sites.capacityBytes[site.firstDevice + local]!
    const needed = needBytes[at]!
    const free = Math.max(0, capacity - arrangement.usedBytes(site, local))
    if (needed <= free) return []
    return [missing(`${id} on ${node.name}`, name, { device: id, needed, free })]
  })
  if (full.length > 0) return full
  const { neededBytes, freeBytes } = arrangement.hostRoom(site, locals, needBytes, hostBytes)
  const of = { device: null, needed: neededBytes, free: Math.max(0, freeBytes) }
  return [missing(`the memory of ${node.name}`, name, of)]
}

function missing(
  where: string,
  name: string,
  { device, needed, free }: { device: string | null; needed: number; free: number },
): Blocker {
  const shortBytes = needed - free
  return {
    check: 'memory',
    what: `${where} has ${memoryText(free)} free, and ${name} needs ${memoryText(needed)} there`,
    unlockedBy: `${memoryText(shortBytes)} more ${device === null ? 'of it' : `on ${device}`}`,
    short: [{ device, neededBytes: needed, freeBytes: free, shortBytes }],
    excess: { of: where, ratio: needed / Math.max(1, free) },
  }
}

function nameOf({ wish, running }: { wish: Wish | null; running: { id: string } | null }): string {
  return wish?.deployment.name ?? running?.id ?? 'something'
}
