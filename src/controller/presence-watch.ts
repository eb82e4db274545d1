/** Silence is no event: it is looked for. */
import type { Fleet } from '#controller/fleet.ts'
import type { Presence } from '#controller/presence.ts'

/** Well below the seconds that presence is measured in. */
const checkMs = 1_000

/** A plan is made because of a few words: when a whole rack returns, its nodes are counted. */
const namedMax = 3

/** Says who falls silent and who returns, and that endpoints change with that. Returns its end. */
export function watchPresence(fleet: Fleet): () => void {
  let presences = new Map<string, Presence>()
  let givenUp: ReadonlySet<string> = new Set()
  let cancel = (): void => {}
  const check = (): void => {
    const now = new Map(fleet.nodes().map(({ id }) => [id, fleet.presenceOf(id)]))
    let changed = false
    const reasons = new Set<string>()
    for (const [id, presence] of now) {
      const before = presences.get(id)
      if (before === presence) continue
      changed = true
      reasons.add(reasonText(fleet.nameOf(id), before, presence))
      const words = before === undefined ? null : presenceText(before, presence)
      if (words !== null) fleet.log(`node "${fleet.nameOf(id)}" ${words}`)
    }
    presences = now
    const over = new Set(fleet.nodes().flatMap(({ id }) => (fleet.isGivenUp(id) ? [id] : [])))
    for (const id of over) {
      if (givenUp.has(id)) continue
      const name = fleet.nameOf(id)
      fleet.log(`node "${name}" is given up: what ran there is placed elsewhere`)
      fleet.changed(`${name} is lost`)
    }
    givenUp = over
    const because =
      reasons.size > namedMax ? [`${reasons.size} nodes fell silent, or are back`] : reasons
    for (const reason of because) fleet.changed(reason)
    if (changed) fleet.endpointsChanged()
    cancel = fleet.clock.schedule(checkMs, check)
  }
  check()
  return () => cancel()
}

/** What a person hears of a change; null for none. After a start of the controller all are silent. */
function presenceText(before: Presence, now: Presence): string | null {
  switch (now) {
    case 'suspect':
      return before === 'ready' ? 'is silent: nothing new is sent there' : null
    case 'lost':
      return 'is lost'
    case 'ready':
      return before === 'lost' ? 'is back' : null
  }
}

/** Why there is a new plan, in a clause; a node that is seen for the first time has no before. */
function reasonText(name: string, before: Presence | undefined, now: Presence): string {
  if (before === undefined) return now === 'ready' ? `${name} is there` : `${name} is not heard yet`
  return { ready: `${name} is back`, suspect: `${name} fell silent`, lost: `${name} is lost` }[now]
}
