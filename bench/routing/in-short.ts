/** What does not hold, in three lines: counted from the same verdicts as the tables. */
import { pairOf, type Verdict, verdictOf } from './comparison.ts'
import { percent } from './markdown.ts'
import type { Results } from './results.ts'
import { fleetsOf, loads, traceNames } from './workload.ts'

export function inShort(results: Results): string {
  const cases = traceNames.flatMap((trace) =>
    fleetsOf(trace).flatMap((fleet) => loads.map((load) => ({ trace, fleet, load }))),
  )
  const verdicts = cases.flatMap((at) => verdictOf(results, at) ?? [])
  return [goodputLine(verdicts), ttftLine(verdicts), controlLine(results)]
    .map((line) => `- ${line}`)
    .join('\n')
}

function goodputLine(verdicts: readonly Verdict[]): string {
  const lost = verdicts.filter(({ goodputHolds }) => !goodputHolds)
  const points = lost.map(({ best }) => best.cell.attainment.mean - best.own.attainment.mean)
  const most =
    lost.length === 0 ? '' : `; in the others at most ${percent(Math.max(...points))} points more`
  return `**Requests in time:** in ${verdicts.length - lost.length} of ${verdicts.length} cases (a fleet, a trace, a load) no other policy has more${most}.`
}

function ttftLine(verdicts: readonly Verdict[]): string {
  const compared = verdicts.filter(({ ttftHolds }) => ttftHolds !== null)
  const ratios = compared.flatMap(({ ttftHolds, quickest }) =>
    ttftHolds === false && quickest !== null
      ? [quickest.own.ttftP99Ms.mean / quickest.cell.ttftP99Ms.mean - 1]
      : [],
  )
  const range = ratios.length === 0 ? '' : `; in the others it is ${rangeOf(ratios)} % higher`
  return `**The slowest first tokens (TTFT p99):** in ${compared.length - ratios.length} of ${compared.length} cases that are compared, \`fastest\` has the lowest${range}.`
}

/** More than this is worse, as under "Equal endpoints". */
const worseRatio = 1.02

function controlLine(results: Results): string {
  const pairs = traceNames
    .filter((trace) => fleetsOf(trace).some((fleet) => fleet === 'homog'))
    .flatMap((trace) =>
      loads.flatMap(
        (load) =>
          pairOf(results, 'fastest', 'even-round-robin', { fleet: 'homog', trace, load }) ?? [],
      ),
    )
  const behind = pairs.filter(
    ({ own, cell }) => own.ttftP99Ms.mean > worseRatio * cell.ttftP99Ms.mean,
  )
  const ahead = behind.map(({ own, cell }) => own.attainment.mean - cell.attainment.mean)
  const price = behind.length === 0 ? '' : `, with ${rangeOf(ahead)} points fewer in time`
  return `**Bursts and overloads, where endpoints are equal (\`homog\`):** in ${behind.length} of ${pairs.length} cases plain round robin has a lower TTFT p99${price}.`
}

/** Of ratios, as whole percent or points. */
function rangeOf(ratios: readonly number[]): string {
  const whole = (ratio: number) => Math.round(ratio * 100)
  const [least, most] = [whole(Math.min(...ratios)), whole(Math.max(...ratios))]
  return least === most ? `${least}` : `${least} to ${most}`
}
