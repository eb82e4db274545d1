/** What the loss of each node would mean, as a person reads it. */
import { blockerLines, counted } from '#cli/plan-text.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { NodeLoss } from '#placement/survival.ts'

export function survivalText(losses: readonly NodeLoss[]): string {
  const bad = losses.filter(({ unplaced }) => unplaced.length > 0)
  const verdict =
    losses.length === 0
      ? 'There is no node to lose.'
      : bad.length === 0
        ? 'The loss of any one node can be made up for.'
        : `The loss of ${bad.map(({ name }) => name).join(' or ')} cannot be made up for.`
  return [...wrapped(verdict, terminalWidth, '  '), ...losses.flatMap(lossLines)].join('\n')
}

function lossLines({ name, loses, moves, unplaced, evicts }: NodeLoss): string[] {
  const mark = unplaced.length > 0 ? paint('red', '!') : paint('green', '=')
  const [first = '', ...rest] = wrapped(
    `${mark} ${paint('bold', name)}: ${loses.length === 0 ? 'nothing runs there' : `loses ${loses.join(', ')}`}`,
    terminalWidth,
    '    ',
  )
  return [
    '',
    first,
    ...rest,
    ...moves.flatMap(({ deployment, to }) => indented(`${deployment} starts on ${to}`)),
    ...(evicts.length === 0 ? [] : indented(`${evicts.join(', ')} would have to give way`)),
    ...unplaced.flatMap(({ deployment, missing, because }) => [
      ...indented(`${deployment} has no place: ${counted(missing, 'replica')} less`),
      ...because
        // That the lost node is lost tells nothing.
        .filter(({ check, what }) => check !== 'presence' || !what.startsWith(`${name} `))
        .slice(0, 3)
        .flatMap((blocker) => blockerLines(blocker)),
    ]),
  ]
}

function indented(text: string): string[] {
  return wrapped(`    ${text}`, terminalWidth, '      ')
}
