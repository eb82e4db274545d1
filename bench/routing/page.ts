/** docs/benchmarks.md and its plots, from the kept results alone. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Bench } from './bench.ts'
import { cellOf, pairOf } from './comparison.ts'
import { disturbanceNames, disturbanceOf } from './disturbance.ts'
import { fixedLoads } from './fixed-loads.ts'
import { inShort } from './in-short.ts'
import { docs, percent, plot, table, verdict, whole } from './markdown.ts'
import { maxRateOf } from './max-rate.ts'
import type { Figures, Results } from './results.ts'
import { rivals, tunedRival } from './rivals.ts'
import { type Estimate, estimate } from './statistics.ts'
import { barPlot } from './svg.ts'
import {
  type FleetName,
  fleetNames,
  fleetsOf,
  isPlayedOn,
  loads,
  seeds,
  type TraceName,
  traceNames,
} from './workload.ts'

const notes = fileURLToPath(new URL('./notes.md', import.meta.url))

/**
 * Goals for the highest load with 90 % in time: parts of a bound that an earlier program came to,
 * requests per second. Its results differ by some percent from those of `src/simulator/bound`.
 */
const goals90: Readonly<Record<MaxRateFleet, { readonly part: number; readonly bound: number }>> = {
  lab: { part: 0.9, bound: 27.1 },
  edge: { part: 0.65, bound: 12.4 },
  vend: { part: 0.87, bound: 51.7 },
  dc: { part: 0.85, bound: 62.6 },
  homog: { part: 0.98, bound: 60.6 },
}

const maxRateFleets = fleetsOf('azure-conv')
type MaxRateFleet = (typeof maxRateFleets)[number]

export async function writePage(bench: Bench): Promise<void> {
  const { results } = bench
  const parts = [
    readFileSync(notes, 'utf8').split('<!-- after the tables -->')[0]?.trim() ?? '',
    await boundsTable(bench),
    await maxRates(bench),
    ...(await Promise.all(traceNames.map((trace) => fixedLoads(bench, trace)))),
    prefixHits(results),
    await robustness(bench),
    control(results),
    await legend(bench),
    (readFileSync(notes, 'utf8').split('<!-- after the tables -->')[1]?.trim() ?? '').replace(
      '<!-- in short -->',
      inShort(results),
    ),
  ]
  writeFileSync(`${docs}benchmarks.md`, `${parts.filter((part) => part !== '').join('\n\n')}\n`)
}

async function boundsTable(bench: Bench): Promise<string> {
  const rows: string[][] = []
  for (const trace of traceNames) {
    const { title, targets } = await bench.workload(trace)
    const bounds = onFleets(trace, (fleet) =>
      bench.results.get<number>('bounds', `${fleet} ${trace}`)?.toFixed(1),
    )
    rows.push([title, `${targets.ttftMs / 1000} s / ${targets.tpotMs} ms`, ...bounds])
  }
  return `## The bound

Requests per second that no policy can exceed within the targets: a linear program, solved by HiGHS
(\`src/simulator/bound\`). All loads below are parts of it.

${table(['Trace', 'TTFT / TPOT target', ...fleetNames], rows)}`
}

/** A cell for each fleet, empty where the trace is not played on it. */
const onFleets = (trace: TraceName, cell: (fleet: FleetName) => string | undefined) =>
  fleetNames.map((fleet) => (isPlayedOn(trace, fleet) ? (cell(fleet) ?? '–') : ''))

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
    for (const fleet of maxRateFleets)
      for (const { name } of rivals) {
        const rate = await maxRateAs(bench, fleet, name, attainment)
        found.set(`${attainment} ${fleet} ${name}`, rate)
      }
  const rate = (fleet: FleetName, policy: string, attainment: number) =>
    found.get(`${attainment} ${fleet} ${policy}`) ?? null
  const summary: string[][] = []
  for (const attainment of maxRateAttainments)
    for (const fleet of maxRateFleets) {
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
    maxRateFleets.map((fleet) => [
      `${attainment * 100} %`,
      fleet,
      ...rivals.map(({ name }) => {
        const one = rate(fleet, name, attainment)
        return one === null ? '–' : whole(one.percent)
      }),
    ]),
  )
  const isRun = ({ name }: { name: string }) =>
    maxRateFleets.some((fleet) => rate(fleet, name, 0.9) !== null)
  const image = plot(
    'max-rate',
    barPlot(
      'Highest load within the targets, requests per second (Azure conversations, compressed)',
      maxRateFleets.map((fleet) => ({
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
  fleet: MaxRateFleet,
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

function prefixHits(results: Results): string {
  const load = 0.7
  const rows = fleetsOf('mooncake').map((fleet) => {
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
  const fleets = fleetsOf('azure-conv')
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
    const cells = fleets.flatMap((fleet) => {
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
    const left = await Promise.all(fleets.map((fleet) => bench.left(fleet, load, name)))
    leftRows.push([
      title,
      ...left.map((one) =>
        one === null ? '–' : `${whole(one.load * 100)} % / ${percent(one.attainmentMax)}`,
      ),
    ])
  }
  const heads = fleets.flatMap((fleet) => [`${fleet} fastest`, 'leastconn + maxconn'])
  return `## When something goes wrong

Azure's conversations, superposed, ${load * 100} % of the bound of the whole fleet: percent of requests from 120 s on that
keep both targets. **Bold**: more than 3 points below the undisturbed run. Where nothing is learnt, speeds stay
what they are said to be: that shows what learning is worth.

${table(['What goes wrong', ...heads], rows)}

An endpoint that is lost or slow takes its part of the bound along. What is left of the fleet is then asked for so many
percent of its own bound, and of these requests at most so many percent could be in time, whatever the policy:

${table(['What goes wrong', ...fleets], leftRows)}`
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
  const cases = traceNames
    .filter((trace) => isPlayedOn(trace, 'homog'))
    .flatMap((trace) => loads.map((load) => ({ fleet: 'homog', trace, load }) as const))
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

async function legend(bench: Bench): Promise<string> {
  const { results } = bench
  const rows = rivals.map(({ name, standsFor }) => [`\`${name}\``, standsFor])
  const times = await Promise.all(
    traceNames.map(async (trace) => {
      const { durationMs, warmUpMs } = (await bench.workload(trace)).times
      return [trace, String(durationMs / 1000), String(warmUpMs / 1000)]
    }),
  )
  const limits = traceNames.map((trace) => [
    trace,
    ...onFleets(trace, (fleet) => results.get<number>('limits', `${fleet} ${trace}`)?.toString()),
  ])
  return `## The policies

All are given ideal static information: weights are what each endpoint can sustain of the very trace.

${table(['Policy', 'What it stands for'], rows)}

\`${tunedRival}\` limits each endpoint to a part of what it can sustain at a time, the best of 0.6 to 1.3 at 70 %
load on a phase of the trace that is not judged:

${table(['Trace', ...fleetNames], limits)}

Runs have so many seconds of arrivals, the first of which are not counted; where answers are longer, both are, too:

${table(['Trace', 'Seconds', 'Not counted'], times)}

Seeds ${seeds.join(', ')}, paired: all policies meet the same requests.`
}
