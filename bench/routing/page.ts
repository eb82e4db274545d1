/** docs/benchmarks.md and its plots, from the kept results alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Bench } from './bench.ts'
import { type Cell, cellOf, pairOf, verdictOf } from './comparison.ts'
import { disturbanceNames, disturbanceOf } from './disturbance.ts'
import { maxRateOf } from './max-rate.ts'
import type { Figures, Results } from './results.ts'
import { rivals, tunedRival } from './rivals.ts'
import { type Estimate, estimate } from './statistics.ts'
import { barPlot, linePlot } from './svg.ts'
import {
  durationMs,
  type FleetName,
  fleetNames,
  loads,
  seeds,
  type TraceName,
  traceNames,
  warmUpMs,
} from './workload.ts'

const docs = fileURLToPath(new URL('../../docs/', import.meta.url))
const notes = fileURLToPath(new URL('./notes.md', import.meta.url))

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

/**
 * Goals for the highest load with 90 % in time: parts of a bound that an earlier program came to,
 * requests per second. Its results differ by some percent from those of `src/simulator/bound`.
 */
const goals90: Readonly<Record<FleetName, { readonly part: number; readonly bound: number }>> = {
  lab: { part: 0.9, bound: 27.1 },
  edge: { part: 0.65, bound: 12.4 },
  vend: { part: 0.87, bound: 51.7 },
  dc: { part: 0.85, bound: 62.6 },
  homog: { part: 0.98, bound: 60.6 },
}

export async function writePage(bench: Bench): Promise<void> {
  mkdirSync(`${docs}benchmarks`, { recursive: true })
  const { results } = bench
  const parts = [
    readFileSync(notes, 'utf8').split('<!-- after the tables -->')[0]?.trim() ?? '',
    await boundsTable(bench),
    await maxRates(bench),
    ...(await Promise.all(traceNames.map((trace) => fixedLoads(bench, trace)))),
    prefixHits(results),
    await robustness(bench),
    control(results),
    legend(results),
    readFileSync(notes, 'utf8').split('<!-- after the tables -->')[1]?.trim() ?? '',
  ]
  writeFileSync(`${docs}benchmarks.md`, `${parts.filter((part) => part !== '').join('\n\n')}\n`)
}

function plot(name: string, svg: string, alt: string): string {
  writeFileSync(`${docs}benchmarks/${name}.svg`, svg)
  return `![${alt}](benchmarks/${name}.svg)`
}

async function boundsTable(bench: Bench): Promise<string> {
  const rows: string[][] = []
  for (const trace of traceNames) {
    const { title, targets } = await bench.workload(trace)
    const bounds = fleetNames.map((fleet) =>
      bench.results.get<number>('bounds', `${fleet} ${trace}`),
    )
    rows.push([
      title,
      `${targets.ttftMs / 1000} s / ${targets.tpotMs} ms`,
      ...bounds.map((bound) => bound?.toFixed(1) ?? '–'),
    ])
  }
  return `## The bound

Requests per second that no policy can exceed within the targets: a linear program, solved by HiGHS
(\`src/simulator/bound\`). All loads below are parts of it.

${table(['Trace', 'TTFT / TPOT target', ...fleetNames], rows)}`
}

/** The highest load of a policy, as what came then. */
interface MaxRate {
  readonly perSecond: number
  /** Of what could be served of just these requests with as large a part in time. */
  readonly percent: number
}

async function maxRateAs(
  bench: Bench,
  fleet: FleetName,
  policy: string,
  attainment: number,
): Promise<MaxRate | null> {
  const one = { fleet, trace: 'azure-conv', policy } as const
  const load = maxRateOf(bench.results, one, 'compress', attainment)
  if (load === null) return null
  if (load === 0) return { perSecond: 0, percent: 0 }
  const { perSecond, bound } = await bench.window({ ...one, how: 'compress', load }, attainment)
  return { perSecond, percent: (100 * perSecond) / bound }
}

async function maxRates(bench: Bench): Promise<string> {
  const found = new Map<string, MaxRate | null>()
  for (const attainment of maxRateAttainments)
    for (const fleet of fleetNames)
      for (const { name } of rivals) {
        const rate = await maxRateAs(bench, fleet, name, attainment)
        found.set(`${attainment} ${fleet} ${name}`, rate)
      }
  const rate = (fleet: FleetName, policy: string, attainment: number) =>
    found.get(`${attainment} ${fleet} ${policy}`) ?? null
  const summary: string[][] = []
  for (const attainment of maxRateAttainments)
    for (const fleet of fleetNames) {
      const one = { fleet, trace: 'azure-conv', policy: 'fastest' } as const
      const load = maxRateOf(bench.results, one, 'compress', attainment)
      const own = rate(fleet, 'fastest', attainment)
      if (own === null || load === null || load === 0) continue
      const { bound } = await bench.window({ ...one, how: 'compress', load }, 1)
      const asked = load * (await bench.bound(fleet, 'azure-conv'))
      const others = rivals.slice(1).flatMap(({ name }) => {
        const other = rate(fleet, name, attainment)
        return other === null ? [] : [{ name, perSecond: other.perSecond }]
      })
      const best = others.toSorted((one, other) => other.perSecond - one.perSecond)[0]
      summary.push([
        `${attainment * 100} %`,
        fleet,
        `${own.perSecond.toFixed(1)} (${asked.toFixed(1)})`,
        `${whole(own.percent)} %`,
        `${whole((100 * own.perSecond) / bound)} %`,
        best === undefined ? '–' : `${best.perSecond.toFixed(1)} ${best.name}`,
        goalOf(fleet, attainment, { came: own.perSecond, asked }, best?.perSecond ?? 0),
      ])
    }
  const rows = maxRateAttainments.flatMap((attainment) =>
    fleetNames.map((fleet) => [
      `${attainment * 100} %`,
      fleet,
      ...rivals.map(({ name }) => {
        const one = rate(fleet, name, attainment)
        return one === null ? '–' : whole(one.percent)
      }),
    ]),
  )
  const isRun = ({ name }: { name: string }) =>
    fleetNames.some((fleet) => rate(fleet, name, 0.9) !== null)
  const image = plot(
    'max-rate',
    barPlot(
      'Highest load within the targets, requests per second (Azure conversations, compressed)',
      fleetNames.map((fleet) => ({
        title: fleet,
        bars: rivals.filter(isRun).map(({ name }) => ({
          name,
          bold: name === 'fastest',
          light: rate(fleet, name, 0.9)?.perSecond ?? null,
          dark: rate(fleet, name, 0.99)?.perSecond ?? null,
        })),
      })),
      'light: 90 % of requests keep both targets; dark: 99 %',
    ),
    'Highest load of each policy on each fleet',
  )
  return `## Highest load within the targets

Azure's conversations, compressed: the harsh form, in which bursts grow with the load. Found in steps
of 2 % of the bound of the whole trace, by the mean attainment of ${seeds.length} seeds. A compressed run meets only a
part of the trace, so that it is measured by its own bound: of the requests that came in the measured
time, at most so many a second could be served with so large a part of them in time, the rest being
left out. In brackets: the rate that was asked for, of which these windows had more or less. The goals
at 90 % were set in parts of an older bound, for the rate that is asked for.

${image}

${table(
  [
    'In time',
    'Fleet',
    'fastest, requests/s (asked)',
    'of the bound',
    'of the bound with all in time',
    'Best other, requests/s',
    'Goal',
  ],
  summary,
)}

Percent of the bound, all policies:

${table(['In time', 'Fleet', ...rivals.map(({ short }) => short)], rows)}`
}

const maxRateAttainments = [0.9, 0.99] as const

function goalOf(
  fleet: FleetName,
  attainment: number,
  rate: { readonly came: number; readonly asked: number },
  best: number,
): string {
  if (attainment !== 0.9) return verdict(rate.came > best, `above ${best.toFixed(1)}`)
  const { part, bound } = goals90[fleet]
  const goal = `≥ ${(part * bound).toFixed(1)}: ${part * 100} % of ${bound}`
  if (rate.came >= part * bound) return `holds (${goal})`
  return rate.asked >= part * bound
    ? `**holds by what was asked for alone** (${goal})`
    : verdict(false, goal)
}

async function fixedLoads(bench: Bench, trace: TraceName): Promise<string> {
  const { results } = bench
  const { title } = await bench.workload(trace)
  const cases = fleetNames.flatMap((fleet) => loads.map((load) => ({ fleet, trace, load })))
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
  const image = plot(
    trace,
    linePlot(
      `${title}, superposed: requests that keep both targets`,
      fleetNames.map((fleet) => ({
        title: fleet,
        series: rivals.flatMap(({ name }, index) =>
          isRun(name)
            ? {
                name,
                colour: colours[index] ?? '#000000',
                bold: name === 'fastest',
                points: loads.flatMap((load) => {
                  const cell = cellOf(results, name, { fleet, trace, load })
                  return cell === null ? [] : [[load * 100, cell.attainment.mean * 100] as const]
                }),
              }
            : [],
        ),
      })),
      { title: 'load, % of the bound', from: 48, to: 82, ticks: [50, 60, 70, 80], unit: '' },
      { title: '', from: 0, to: 100, ticks: [0, 25, 50, 75, 90, 100], unit: ' %' },
    ),
    `Attainment by load, ${title}`,
  )
  return `## ${title}, superposed

${image}

${table(
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
)}

<details><summary>All policies: percent of requests that keep both targets / TTFT p99</summary>

${table(['Fleet', 'Load', ...rivals.map(({ short }) => short)], all)}

</details>`
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
    verdict(ttftHolds, 'lowest'),
  ]
}

function prefixHits(results: Results): string {
  const load = 0.7
  const rows = fleetNames.map((fleet) => {
    const at = { fleet, trace: 'mooncake', load } as const
    const pair = pairOf(results, 'fastest', 'prefix', at)
    const holds =
      pair === null
        ? '–'
        : verdict(
            pair.own.hits.mean >= 0.9 * pair.cell.hits.mean &&
              pair.own.goodput.mean > pair.cell.goodput.mean,
            '≥ 0.9 of cache-aware, more goodput',
          )
    return [
      fleet,
      ...rivals.map(({ name }) => {
        const cell = cellOf(results, name, at)
        if (cell === null) return '–'
        return `${percent(cell.hits.mean)} (${percent(cell.attainment.mean)})`
      }),
      holds,
    ]
  })
  return `## Reuse of prefixes

Mooncake's conversations at ${load * 100} % of the bound: percent of prompt tokens that engines found in their
caches, and in brackets percent of requests that keep both targets.

${table(['Fleet', ...rivals.map(({ short }) => short), 'Goal'], rows)}`
}

async function robustness(bench: Bench): Promise<string> {
  const { results } = bench
  const load = 0.7
  const measured = (
    policy: string,
    fleet: FleetName,
    trace: TraceName,
    name: string,
  ): Estimate | null => {
    const runs = seeds.flatMap((seed) => {
      const key = `${policy} ${fleet} ${trace} ${load.toFixed(2)} ${seed} ${name}`
      return results.get<Figures>('disturbed', key)?.attainment ?? []
    })
    return runs.length === 0 ? null : estimate(runs)
  }
  const rows: string[][] = []
  const leftRows: string[][] = []
  for (const name of disturbanceNames) {
    const { title, policy } = disturbanceOf(name)
    const trace = name === 'cold' ? 'mooncake' : 'azure-conv'
    const cells = fleetNames.flatMap((fleet) => {
      const own = measured('fastest', fleet, trace, name)
      const usual = measured('fastest', fleet, trace, 'none')
      const rival = measured(tunedRival, fleet, trace, name)
      if (own === null || usual === null) return ['–', '–']
      const shown = percent(own.mean)
      const holds = own.mean >= usual.mean - 0.03 || policy !== undefined
      return [holds ? shown : `**${shown}**`, rival === null ? '–' : percent(rival.mean)]
    })
    rows.push([title, ...cells])
    if (policy !== undefined || disturbanceOf(name).left === undefined) continue
    const left = await Promise.all(fleetNames.map((fleet) => bench.left(fleet, load, name)))
    leftRows.push([
      title,
      ...left.map((one) =>
        one === null ? '–' : `${whole(one.load * 100)} % / ${percent(one.attainmentMax)}`,
      ),
    ])
  }
  const heads = fleetNames.flatMap((fleet) => [`${fleet} fastest`, 'leastconn + maxconn'])
  return `## When something goes wrong

Azure's conversations, superposed, ${load * 100} % of the bound of the whole fleet: percent of requests from 120 s on that
keep both targets. **Bold**: more than 3 points below the undisturbed run. Where nothing is learnt, speeds stay
what they are said to be: that shows what learning is worth.

${table(['What goes wrong', ...heads], rows)}

An endpoint that is lost or slow takes its part of the bound along. What is left of the fleet is then asked for so many
percent of its own bound, and of these requests at most so many percent could be in time, whatever the policy:

${table(['What goes wrong', ...fleetNames], leftRows)}`
}

const controlMetrics = [
  { name: 'attainment', of: ({ attainment }: Figures) => attainment, more: true },
  { name: 'goodput', of: ({ goodput }: Figures) => goodput, more: true },
  ...(['ttftMs', 'tpotMs', 'msPerToken'] as const).flatMap((kind) =>
    (['mean', 'p50', 'p95', 'p99'] as const).map((name, index) => ({
      name: `${{ ttftMs: 'TTFT', tpotMs: 'TPOT', msPerToken: 'ms per token' }[kind]} ${name}`,
      of: (figures: Figures) => figures[kind][index] as number,
      more: false,
    })),
  ),
]

function control(results: Results): string {
  const cases = traceNames.flatMap((trace) =>
    loads.map((load) => ({ fleet: 'homog', trace, load }) as const),
  )
  const rows = cases.map((at) => {
    const pair = pairOf(results, 'fastest', 'even-round-robin', at)
    if (pair === null) return [at.trace, `${at.load * 100} %`, '–', '–']
    const { own, cell: other } = pair
    const worse = controlMetrics.flatMap(({ name, of, more }) => {
      const mean = (runs: readonly Figures[]) => estimate(runs.map(of)).mean
      const ratio = mean(own.runs) / mean(other.runs)
      const lost = more ? 1 - ratio : ratio - 1
      return lost > 0.02 ? [`**${name} ${(lost * 100).toFixed(1)} % worse**`] : []
    })
    const kept = `${percent(own.attainment.mean)} / ${percent(other.attainment.mean)}`
    return [at.trace, `${at.load * 100} %`, kept, worse.join(', ') || 'none']
  })
  return `## Equal endpoints

\`homog\` is a control: eight A100. Metrics in which \`fastest\` is more than 2 % worse than round robin, of
attainment, goodput, TTFT, TPOT and time per token (mean, p50, p95, p99).

${table(['Trace', 'Load', 'In time: fastest / round robin', 'Worse by more than 2 %'], rows)}`
}

function legend(results: Results): string {
  const rows = rivals.map(({ name, standsFor }) => [`\`${name}\``, standsFor])
  const limits = traceNames.map((trace) => [
    trace,
    ...fleetNames.map((fleet) => String(results.get<number>('limits', `${fleet} ${trace}`) ?? '–')),
  ])
  return `## The policies

All are given ideal static information: weights are what each endpoint can sustain of the very trace.

${table(['Policy', 'What it stands for'], rows)}

\`${tunedRival}\` limits each endpoint to a part of what it can sustain at a time, the best of 0.6 to 1.3 at 70 %
load on a phase of the trace that is not judged:

${table(['Trace', ...fleetNames], limits)}

Every run has ${durationMs / 1000} s of arrivals, the first ${warmUpMs / 1000} s not counted; seeds ${seeds.join(', ')}, paired: all policies meet the same requests.`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

const verdict = (holds: boolean, goal: string) => (holds ? 'holds' : `**does not hold** (${goal})`)
const percent = (ratio: number) => (ratio * 100).toFixed(1)
const percentWithin = ({ mean, within, count }: Estimate) =>
  count < 2 ? `${percent(mean)} (1 seed)` : `${percent(mean)} ± ${percent(within)}`
const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 0)} s`
const whole = (value: number) => String(Math.round(value))
