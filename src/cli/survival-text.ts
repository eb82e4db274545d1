/** What the loss of each node would mean, as a person reads it. */
import { blockerLines, counted } from '#cli/plan-text.ts'
import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Plan } from '#placement/plan.ts'
import type { NodeLoss } from '#placement/survival.ts'

/** `plan` is what is planned while all nodes are there. */
export function survivalText(losses: readonly NodeLoss[], plan: Pick<Plan, 'unplaced'>): string {
  const bad = losses.filter(({ unplaced }) => unplaced.length > 0)
  const missing = plan.unplaced.map(({ deployment }) => deployment)
  const isByHand = losses.some(({ losesByHand }) => losesByHand.length > 0)
  const byHand = isByHand ? ', but for what was started by hand' : ''
  const verdicts = [
    ...(missing.length === 0
      ? []
      : [`As it is, not all of ${missing.join(', ')} has a place: "motley plan" says why.`]),
    losses.length === 0
      ? 'There is no node to lose.'
      : bad.length > 0
        ? `The loss of ${bad.map(({ name }) => name).join(' or ')} cannot be made up for.`
        : missing.length > 0
          ? `The loss of any one node makes that no worse${byHand}.`
          : `The loss of any one node can be made up for${byHand}.`,
  ]
  return [
    ...verdicts.flatMap((verdict) => wrapped(verdict, terminalWidth, '  ')),
    ...losses.flatMap(lossLines),
  ].join('\n')
}

function lossLines(loss: NodeLoss): string[] {
  const { name, loses, losesByHand, unplaced } = loss
  const isIdle = loses.length === 0 && losesByHand.length === 0
  const what = isIdle ? 'nothing runs there' : `loses ${[...loses, ...losesByHand].join(', ')}`
  const mark = unplaced.length > 0 ? paint('red', '!') : paint('green', '=')
  const [first = '', ...rest] = wrapped(
    `${mark} ${paint('bold', name)}: ${what}`,
    terminalWidth,
    '    ',
  )
  return ['', first, ...rest, ...lossDetails(loss, 'presence')]
}

/** What becomes of each thing there. That the node is gone, by this check, tells nothing. */
export function lossDetails(
  { name, losesByHand, moves, unplaced, evicts }: NodeLoss,
  gone: 'presence' | 'draining',
): string[] {
  return [
    ...(losesByHand.length === 0
      ? []
      : indented(`${losesByHand.join(', ')}: started by hand, so nothing starts it elsewhere`)),
    ...moves.flatMap(({ deployment, to }) => indented(`${deployment} starts on ${to}`)),
    ...(evicts.length === 0 ? [] : indented(`${evicts.join(', ')} would have to give way`)),
    ...unplaced.flatMap(({ deployment, missing, because }) => [
      ...indented(`${deployment} has no place: ${counted(missing, 'replica')} less`),
      ...because
        .filter(({ check, what }) => check !== gone || !what.startsWith(`${name} `))
        .slice(0, 3)
        .flatMap((blocker) => blockerLines(blocker)),
    ]),
  ]
}

function indented(text: string): string[] {
  return wrapped(`    ${text}`, terminalWidth, '      ')
}
