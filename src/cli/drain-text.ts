/** What the drain of a node means, as a person reads it before and after. */
import { lossDetails } from '#cli/survival-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { NodeLoss } from '#placement/survival.ts'

/** Before it is done, where something has no other place. */
export function homelessText(loss: NodeLoss): string {
  const names = [...new Set(loss.unplaced.map(({ deployment }) => deployment))].join(', ')
  const first = `Without ${loss.name} there is no place for all of ${names}; what has none ends:`
  return [...wrapped(first, terminalWidth, '  '), ...lossDetails(loss, 'draining')].join('\n')
}

export function drainedText(loss: NodeLoss): string {
  const { name, loses, losesByHand } = loss
  const undo = `"motley drain ${name} --undo" uses it again`
  if (loses.length === 0 && losesByHand.length === 0) {
    return wrapped(`${name} drains: nothing runs there; ${undo}`, terminalWidth, '  ').join('\n')
  }
  const first = `${name} drains: what was planned moves first, the rest finishes what it does and ends`
  // Why something has no place was said before it was agreed to.
  const unplaced = loss.unplaced.map((one) => ({ ...one, because: [] }))
  return [
    ...wrapped(first, terminalWidth, '  '),
    ...lossDetails({ ...loss, unplaced }, 'draining'),
    ...wrapped(`"motley replicas" says how far it is; ${undo}`, terminalWidth, '  '),
  ].join('\n')
}
