/** Why a deployment is not on a node, as a person reads it. */
import { blockerLines } from '#cli/plan-text.ts'
import { scoreLines, scoreSum } from '#cli/score-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { PlanInput } from '#placement/plan.ts'
import type { WhyNot } from '#placement/why-not.ts'

export function whyNotText(
  { inventory }: PlanInput,
  { verdict, blockers, inTheWay, here, chosen }: WhyNot,
  of: { readonly deployment: string; readonly node: string },
  all = false,
): string {
  const nameOf = (id: string): string => inventory.nodes.find((node) => node.id === id)?.name ?? id
  const node = nameOf(of.node)
  const elsewhere = [...new Set(chosen.map((record) => nameOf(record.node)))].join(', ')
  switch (verdict) {
    case 'there':
      return [
        `${of.deployment} is on ${node}.`,
        ...(here?.score == null
          ? []
          : ['', ...scoreLines([{ title: node, score: here.score, speedBasis: here.speedBasis }])]),
      ].join('\n')
    case 'refused':
      return [
        `${of.deployment} cannot be on ${node}:`,
        ...inTheWay.flatMap(blockerLines),
        ...(blockers.length === 0 ? ['    nothing says why; "motley plan" may'] : []),
        ...otherLines(blockers.slice(inTheWay.length), all),
        ...(elsewhere === '' ? [] : ['', `It is planned on ${elsewhere}.`]),
      ].join('\n')
    case 'possible': {
      const [other] = chosen
      const better =
        other?.score == null || here?.score == null
          ? null
          : scoreSum(here.score) - scoreSum(other.score)
      const words =
        better === null
          ? `${of.deployment} could be on ${node}; all that are wanted have a place.`
          : better > 0
            ? `${of.deployment} could be on ${node}; ${elsewhere} is better by ${better.toFixed(1)} s.`
            : `${of.deployment} could be on ${node}, and runs on ${elsewhere} already: what runs is not moved for ${(-better).toFixed(1)} s.`
      return [
        ...wrapped(words, terminalWidth, '  '),
        ...(other?.score == null || here?.score == null
          ? []
          : [
              '',
              ...scoreLines([
                { title: nameOf(other.node), score: other.score, speedBasis: other.speedBasis },
                { title: node, score: here.score, speedBasis: here.speedBasis },
              ]),
            ]),
      ].join('\n')
    }
  }
}

/** What is against devices and engines there that come less near. */
function otherLines(blockers: WhyNot['blockers'], all: boolean): string[] {
  if (blockers.length === 0) return []
  if (all) {
    return [
      '',
      'Other devices and engines there are further off:',
      ...blockers.flatMap(blockerLines),
    ]
  }
  const names = [...new Set(blockers.map(({ code, check }) => code ?? check))].join(', ')
  const text = `Other devices and engines there are further off (${names}): --all tells why.`
  return ['', ...wrapped(text, terminalWidth, '  ')]
}
