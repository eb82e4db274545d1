/** Words for what runs on a node that is not heard: what was last told of it may hold no more. */
import { agoText } from '#cli/ago-text.ts'

interface OnNode {
  readonly nodeName: string
  readonly presence: string
  /** Null for a node that was not heard since the controller started; an earlier controller does not tell. */
  readonly silentMs?: number | null | undefined
}

/** How its node is, in place of what was last told of it; null while the node is heard. */
export function unheardState({ presence }: Pick<OnNode, 'presence'>): string | null {
  if (presence === 'ready') return null
  return presence === 'suspect' ? 'node silent' : `node ${presence}`
}

/** Since when nobody knows; null while the node is heard. */
export function unheardText({ nodeName, presence, silentMs }: OnNode): string | null {
  if (presence === 'ready') return null
  const state = presence === 'suspect' ? 'silent' : presence
  if (silentMs === undefined) return `${nodeName} is ${state}: how it is now, nobody knows`
  if (silentMs === null) return `${nodeName} has not come back since the controller started`
  return `${nodeName} is ${state}, last heard ${agoText(silentMs)} ago`
}
