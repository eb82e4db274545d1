/**
 * The whole comparison of routing policies: `npm run bench:routing`. Writes docs/benchmarks.md and
 * its plots from results that are kept in bench/routing/results; only what is missing there is run,
 * after one run of each policy on each trace has shown that what is there still holds.
 * Options: `--part max,fixed,disturbed`, `--fleets`, `--traces`, `--policies`, `--seeds` (lists),
 * `--fresh` (runs again what the policies of the list have), `--minutes N` (stops after so many
 * minutes of CPU), `--page` (only writes the page).
 */
import { parseArgs } from 'node:util'
import { Bench } from './bench.ts'
import { disturbanceNames, disturbanceOf, disturbedTraces } from './disturbance.ts'
import { measureMaxRate } from './max-rate.ts'
import { writePage } from './page.ts'
import { Results } from './results.ts'
import { rivals, tunedRival } from './rivals.ts'
import { fleetNames, isPlayedOn, loads, seeds, type TraceName, traceNames } from './workload.ts'

const { values: options } = parseArgs({
  options: {
    part: { type: 'string', default: 'max,fixed,disturbed' },
    fleets: { type: 'string' },
    traces: { type: 'string' },
    policies: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string', default: 'Infinity' },
    fresh: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
})

/** The names of a list that there are, all without a list; another name ends the program. */
function chosen<Name extends string>(list: string | undefined, all: readonly Name[]) {
  if (list === undefined) return all
  const names = list.split(',')
  const unknown = names.filter((text) => !all.some((name) => name === text))
  if (unknown.length > 0) {
    console.error(`There is no ${unknown.join(', ')}; there are ${all.join(', ')}.`)
    process.exit(2)
  }
  return all.filter((name) => names.includes(name))
}

const fleets = chosen(options.fleets, fleetNames)
const traces = chosen(options.traces, traceNames)
const policies = chosen(
  options.policies,
  rivals.map(({ name }) => name),
)
const parts = chosen(options.part, ['max', 'fixed', 'disturbed'])
const someSeeds = chosen(options.seeds, seeds.map(String)).map(Number)
const fleetsFor = (trace: TraceName) => fleets.filter((fleet) => isPlayedOn(trace, fleet))
const cpuSecondsMax = Number(options.minutes) * 60

const results = new Results(options.fresh ? [...policies, 'disturbed'] : [])
let writtenAt = 0
const bench = new Bench(results, (text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${bench.runs} runs: ${text}`)
  if (bench.cpuSeconds - writtenAt > 10) {
    results.write()
    writtenAt = bench.cpuSeconds
  }
  if (bench.cpuSeconds > cpuSecondsMax) stop(`stopped after ${options.minutes} minutes of CPU`)
})

function stop(why: string): never {
  results.write()
  console.error(`\n${why}; the same command goes on`)
  process.exit(1)
}

/** One seed after another, so that an interrupted run has all policies with as many seeds. */
async function measureFixed(): Promise<void> {
  for (const seed of someSeeds)
    for (const trace of traces)
      for (const fleet of fleetsFor(trace))
        for (const load of loads)
          for (const policy of policies)
            await bench.point({ fleet, trace, how: 'superpose', load, policy, seed })
}

async function measureMaxRates(): Promise<void> {
  for (const policy of policies)
    for (const fleet of fleetsFor('azure-conv'))
      for (const attainment of [0.9, 0.99])
        await measureMaxRate(bench, { fleet, trace: 'azure-conv', policy }, 'compress', attainment)
}

async function measureDisturbed(): Promise<void> {
  for (const seed of someSeeds)
    for (const fleet of fleetsFor('azure-conv'))
      for (const disturbance of disturbanceNames)
        for (const policy of policies) {
          if (policy !== 'fastest' && policy !== tunedRival) continue
          if (policy !== 'fastest' && disturbanceOf(disturbance).policy !== undefined) continue
          for (const trace of disturbedTraces(disturbance)) {
            await bench.disturbed({ fleet, trace, load: 0.7, policy, seed }, disturbance)
          }
        }
}

if (!options.page) {
  process.once('SIGINT', () => stop('interrupted'))
  for (const trace of traces)
    for (const policy of policies) {
      if (await bench.isCurrent(policy, trace)) continue
      console.error(
        `What is kept of ${policy} on ${trace} is not what it does today: run it with --fresh.`,
      )
      process.exit(1)
    }
  const measures = { max: measureMaxRates, fixed: measureFixed, disturbed: measureDisturbed }
  for (const part of parts) await measures[part as keyof typeof measures]()
  results.write()
  console.error(`\n${bench.runs} runs in ${Math.round(bench.cpuSeconds)} s of CPU`)
}
await writePage(bench)
results.write()
console.error('docs/benchmarks.md is written')
