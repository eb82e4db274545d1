/** The section of a trace: every policy on its fleets, at the same parts of the bound. */
import type { Bench } from './bench.ts'
import { type Cell, cellOf, modelAttainment, verdictOf } from './comparison.ts'
import { percent, percentWithin, plot, seconds, table, verdict, whole } from './markdown.ts'
import type { Results } from './results.ts'
import { rivals } from './rivals.ts'
import { modelsOf, modelTables } from './several-models.ts'
import type { Estimate } from './statistics.ts'
import { linePlot } from './svg.ts'
import { type FleetName, fleetsOf, loads, type TraceName } from './workload.ts'

const colours = [
  '#d1480c',
  '#e8a33d',
  '#1f6feb',
  '#57a0f5',
  '#2da44e',
  '#8b949e',
  '#86d19b',
  '#bf8700',
  '#8250df',
  '#cf62b9',
  '#a475f9',
  '#0b7285',
  '#66c2cd',
  '#6e7781',
]

export async function fixedLoads(bench: Bench, trace: TraceName): Promise<string> {
  const { results } = bench
  const { title, trace: requests } = await bench.workload(trace)
  const models = modelsOf(requests)
  const cases = fleetsOf(trace).flatMap((fleet) => loads.map((load) => ({ fleet, trace, load })))
  const came = await Promise.all(cases.map((at) => partThatCame(bench, at)))
  const verdicts = cases.map((at, index) => [
    at.fleet,
    `${at.load * 100} %`,
    came[index] ?? '–',
    ...verdictCells(results, at),
  ])
  const all = cases.map((at) => [
    at.fleet,
    `${at.load * 100} %`,
    ...rivals.map(({ name }) => {
      const cell = cellOf(results, name, at)
      if (cell === null) return '–'
      return `${percent(cell.attainment.mean)} / ${seconds(cell.ttftP99Ms.mean)}`
    }),
  ])
  const isRun = (policy: string) => cases.some((at) => cellOf(results, policy, at) !== null)
  const panel = (title: string, fleet: FleetName, attainment: (cell: Cell) => Estimate) => ({
    title,
    series: rivals.flatMap(({ name }, index) =>
      isRun(name)
        ? {
            name,
            colour: colours[index] ?? '#000000',
            bold: name === 'fastest',
            points: loads.flatMap((load) => {
              const cell = cellOf(results, name, { fleet, trace, load })
              return cell === null ? [] : [[load * 100, attainment(cell).mean * 100] as const]
            }),
          }
        : [],
    ),
  })
  const image = plot(
    trace,
    linePlot(
      `${title}, superposed: requests that keep both targets`,
      fleetsOf(trace).flatMap((fleet) => [
        panel(
          models.length > 0 ? `${fleet}, all models` : fleet,
          fleet,
          ({ attainment }) => attainment,
        ),
        ...models.map((model) => panel(model, fleet, (cell) => modelAttainment(cell, model))),
      ]),
      { title: 'load, % of the bound', from: 48, to: 82, ticks: [50, 60, 70, 80], unit: '' },
      { title: '', from: 0, to: 100, ticks: [0, 25, 50, 75, 90, 100], unit: ' %' },
    ),
    `Attainment by load, ${title}`,
  )
  const inDetail = table(['Fleet', 'Load', ...rivals.map(({ short }) => short)], all)
  const parts = [
    `## ${title}, superposed`,
    image,
    table(
      [
        'Fleet',
        'Load',
        'Came',
        'fastest keeps',
        'Best other policy',
        'Goodput',
        'fastest TTFT p99',
        'Best other with ≥ 95 %',
        'TTFT p99',
      ],
      verdicts,
    ),
    ...(await Promise.all(fleetsOf(trace).map((fleet) => modelTables(bench, fleet, trace)))).flat(),
    '<details><summary>All policies: percent of requests that keep both targets / TTFT p99</summary>',
    inDetail,
    '</details>',
  ]
  return parts.join('\n\n')
}

/** What came of a load, in parts of the bound of just that; the whole is what was asked for. */
async function partThatCame(
  bench: Bench,
  at: { fleet: FleetName; trace: TraceName; load: number },
): Promise<string> {
  if (cellOf(bench.results, 'fastest', at) === null) return '–'
  const { perSecond, bound } = await bench.window({ ...at, how: 'superpose' }, 1)
  return `${whole((100 * perSecond) / bound)} %`
}

function verdictCells(
  results: Results,
  at: { fleet: FleetName; trace: TraceName; load: number },
): string[] {
  const found = verdictOf(results, at)
  if (found === null) return ['–', '–', '–', '–', '–', '–']
  const { fastest, best, goodputHolds, quickest, ttftHolds } = found
  // Means of other seeds are of other requests: then both are told of those that they share.
  const beside = (own: Cell, shown: string) =>
    own.attainment.count === fastest.attainment.count ? '' : ` (there: ${shown})`
  const own99 = (cell: Cell) => seconds(cell.ttftP99Ms.mean)
  return [
    percentWithin(fastest.attainment),
    `${percentWithin(best.cell.attainment)} ${best.policy}` +
      beside(best.own, percent(best.own.attainment.mean)),
    verdict(goodputHolds, 'highest'),
    own99(fastest),
    quickest === null
      ? 'none'
      : `${own99(quickest.cell)} ${quickest.policy}${beside(quickest.own, own99(quickest.own))}`,
    ttftHolds === null ? 'not compared' : verdict(ttftHolds, 'lowest'),
  ]
}
