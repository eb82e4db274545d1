/** Whether a node is there, from when it was last heard. */

export type Presence = 'ready' | 'suspect' | 'lost'

/** Three heartbeats: a network hiccup or a swap storm is shorter. Nothing new is sent there. */
export const suspectAfterMs = 15_000

/** What ran there is believed gone. */
export const lostAfterMs = 60_000

/** `heardAtMs` is null for a node that was never heard since the controller started. */
export function presenceOf(heardAtMs: number | null, startedAtMs: number, nowMs: number): Presence {
  // After a start of the controller, agents get the time to come back that they had before it.
  const silentMs = nowMs - (heardAtMs ?? startedAtMs)
  if (silentMs >= lostAfterMs) return 'lost'
  return silentMs >= suspectAfterMs || heardAtMs === null ? 'suspect' : 'ready'
}

/**
 * Whether so much was lost at once that the fault is more likely here, as in a network or a power
 * supply that nodes share, than in each of them: then nothing is deleted or moved.
 */
export function isMassLoss(presences: readonly Presence[]): boolean {
  return isMost(presences, ['lost'])
}

/** The same of silence: then gateways are left to find out which replicas answer. */
export function isMassSilence(presences: readonly Presence[]): boolean {
  return isMost(presences, ['suspect', 'lost'])
}

/** One node of one, or of two, is no mass. */
function isMost(presences: readonly Presence[], bad: readonly Presence[]): boolean {
  const count = presences.filter((presence) => bad.includes(presence)).length
  return count >= 2 && count * 2 > presences.length
}
