/**
 * Motley, HAProxy and nginx in front of the same emulated fleet, with the same requests in real time,
 * and beside it what the simulator says of the same requests: `npm run bench:live`. Options:
 * `--fleet lab`, `--load 0.5,0.7`, `--speed 0.5` (of all engines, so that a small machine can emulate
 * them; times are told as if they were not slowed down), `--seconds 60`, `--warm-up` (a third of
 * that, not counted), `--seed 1`, `--json`. At the end it says, and exits with 1 if not, whether the
 * simulator ranks all three as they were found, and predicts what they attain within five points.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Agent } from 'undici'
import { traceArrivals } from '#loadtest/arrival.ts'
import { chatRequest } from '#loadtest/chat-request.ts'
import { isGood } from '#loadtest/load-report.ts'
import { runLoad } from '#loadtest/run-load.ts'
import type { Sample } from '#loadtest/sample.ts'
import { fluidBound } from '#simulator/bound/fluid-bound.ts'
import { parseFleetFile } from '#simulator/fleet-file.ts'
import { sustained } from '#simulator/ideal-weight.ts'
import { policyOf } from '#simulator/policies.ts'
import { run } from '#simulator/run.ts'
import { changeLoad } from '#simulator/traces/change-load.ts'
import { loadTrace } from '#simulator/traces/load-trace.ts'
import { withinContext } from '#simulator/traces/trace.ts'
import { systemClock } from '#std/clock.ts'
import { quantile } from '#std/quantile.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { emulateFleet, proxyNames, type ServerInFront, startProxy, stopAll } from './processes.ts'
import { type Compared, type Verdict, verdictsOf } from './verdict.ts'

const { values: options } = parseArgs({
  options: {
    fleet: { type: 'string', default: 'lab' },
    load: { type: 'string', default: '0.5,0.7' },
    speed: { type: 'string', default: '0.5' },
    seconds: { type: 'string', default: '60' },
    'warm-up': { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const speed = Number(options.speed)
const durationMs = Number(options.seconds) * 1_000
const warmUpMs =
  options['warm-up'] === undefined ? durationMs / 3 : Number(options['warm-up']) * 1_000
const seed = Number(options.seed)
const targets = { ttftMs: 2_000, tpotMs: 100 }

/** Each proxy by the policy that is its likeness in the simulator. */
const likeness = {
  // Engines say how much KV cache they have; how fast they are, nobody does.
  motley: { policy: 'fastest', tells: 'room' },
  haproxy: { policy: 'least-connections-queue:0.9', tells: true },
  nginx: { policy: 'least-connections', tells: true },
} as const

interface Row extends Compared {
  readonly requests: number
  readonly failed: number
  readonly ttftP50Ms: number
  readonly ttftP99Ms: number
  readonly predictedTtftP99Ms: number
  readonly lateRequests: number
}

const fleet = parseFleetFile(
  readFileSync(root(`fleets/${options.fleet}.yaml`), 'utf8'),
  options.fleet,
)
const trace = withinContext(await loadTrace(root('traces/azure2023-conv.csv.gz')), 8_192)
const mean = (size: (request: (typeof trace.requests)[number]) => number) =>
  trace.requests.reduce((sum, request) => sum + size(request), 0) / trace.requests.length
const mix = {
  promptTokens: mean(({ promptTokens }) => promptTokens),
  outputTokens: mean(({ outputTokens }) => outputTokens),
}
const bound = await fluidBound(fleet, trace.requests, targets)

/** The same requests as `run` makes of this seed. */
function requestsAt(load: number) {
  return changeLoad(trace, {
    ratePerSecond: load * bound,
    durationMs,
    how: 'superpose',
    chance: seededChance(seed * 1_000_003),
  }).requests
}

async function measure(load: number, proxy: ServerInFront): Promise<Row> {
  const dispatcher = new Agent({ connections: null, pipelining: 1 })
  const arrivals = traceArrivals(requestsAt(load), { timeScale: 1 / speed, durationMs: null })
  const target = {
    ...{ url: proxy.url, model: 'llama-3.1-8b', apiKey: null, dispatcher },
    ...{ timeoutMs: 600_000, ignoresEnd: true, nowMs: systemClock.nowMs },
  }
  const { samples, lateRequests } = await runLoad({
    arrivals,
    send: (arrival, index, startedAtMs, signal) =>
      chatRequest(target, arrival, index, startedAtMs, signal),
    clock: systemClock,
    maxInFlight: 5_000,
    signal: new AbortController().signal,
    onProgress: ({ sent, answered, failed }) => {
      if (process.stderr.isTTY) {
        process.stderr.write(
          `\r\u001b[K${proxy.name} ${load}: ${sent} sent, ${answered}, ${failed}`,
        )
      }
    },
  })
  await dispatcher.destroy()
  const measured = samples.map(atFullSpeed).filter(({ dueMs }) => dueMs >= warmUpMs)
  const good = measured.filter(
    (sample) =>
      sample.outcome.kind === 'answered' && isGood(sample, { ...targets, endToEndMs: null }),
  )
  const ttfts = measured.flatMap(({ ttftMs }) => ttftMs ?? []).toSorted((a, b) => a - b)
  const { policy, tells } = likeness[proxy.name]
  const predicted = run({
    ...{ fleet, trace, targets, seed, durationMs, warmUpMs, tells },
    policy: policyOf(policy)!,
    ratePerSecond: load * bound,
  })
  return {
    ...{ load, proxy: proxy.name, requests: measured.length, lateRequests },
    failed: measured.filter(({ outcome }) => outcome.kind !== 'answered').length,
    attainment: good.length / measured.length,
    predicted: predicted.attainment,
    ttftP50Ms: quantile(ttfts, 0.5) ?? Number.NaN,
    ttftP99Ms: quantile(ttfts, 0.99) ?? Number.NaN,
    predictedTtftP99Ms: predicted.ttftMs.p99,
  }
}

function atFullSpeed(sample: Sample): Sample {
  const { dueMs, ttftMs, tpotMs, endToEndMs } = sample
  return {
    ...sample,
    dueMs: dueMs * speed,
    ttftMs: ttftMs === null ? null : ttftMs * speed,
    tpotMs: tpotMs === null ? null : tpotMs * speed,
    endToEndMs: endToEndMs * speed,
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().then(() => process.exit(1)))
}
const rows: Row[] = []
if (!options.json) printHead()
try {
  for (const load of options.load.split(',').map(Number)) {
    for (const name of proxyNames) {
      // A fleet of its own for each, so that nobody finds what another one left in a cache.
      const emulated = await emulateFleet(root(`fleets/${options.fleet}.yaml`), speed)
      const servers = fleet.map((endpoint) => {
        const ideal = sustained(endpoint, mix, targets.tpotMs)
        return {
          name: endpoint.name,
          url: emulated.get(endpoint.name) ?? '',
          weight: ideal.requestsPerSecond,
          limit: Math.max(1, Math.round(0.9 * ideal.inFlight)),
        }
      })
      const slowed = { ttftMs: targets.ttftMs / speed, tpotMs: targets.tpotMs / speed }
      const proxy = await startProxy(name, servers, slowed)
      if (proxy !== null) {
        const row = await measure(load, proxy)
        rows.push(row)
        if (!options.json) printRow(row)
      }
      await stopAll()
    }
  }
} finally {
  await stopAll()
}
const verdicts = verdictsOf(rows)
if (options.json) console.log(JSON.stringify({ ...options, bound, rows, verdicts }, null, 2))
else for (const verdict of verdicts) printVerdict(verdict)
const holds = verdicts.every((one) => one.rankingAgrees && one.withinFivePoints)
if (!holds) process.exitCode = 1

function printVerdict(verdict: Verdict): void {
  const order = (names: readonly string[]) => names.join(' > ')
  console.log(
    `\n${verdict.load.toFixed(2)}: found ${order(verdict.ranking)}, predicted ${order(verdict.predictedRanking)}:`,
  )
  console.log(
    `      the ranking ${verdict.rankingAgrees ? 'agrees' : 'DOES NOT AGREE'}; attainment is off by ${verdict.largestGapPoints.toFixed(1)} points at most, ${verdict.withinFivePoints ? 'within' : 'BEYOND'} 5`,
  )
}

function printHead(): void {
  console.log(
    `${options.fleet}, ${bound.toFixed(1)} requests/s at most, engines at ${speed} speed\n`,
  )
  console.log(
    ' load  proxy    requests  in time  predicted  TTFT p50      p99  predicted  × motley',
  )
}

function printRow(row: Row): void {
  const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`.padStart(9)
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`.padStart(9)
  const own = rows.find(({ load, proxy }) => load === row.load && proxy === 'motley')
  const ratio = own === undefined ? Number.NaN : row.attainment / own.attainment
  console.log(
    `${row.load.toFixed(2).padStart(5)}  ${row.proxy.padEnd(8)}${String(row.requests).padStart(9)}${percent(row.attainment)}  ${percent(row.predicted)} ${seconds(row.ttftP50Ms)}${seconds(row.ttftP99Ms)}  ${seconds(row.predictedTtftP99Ms)}${ratio.toFixed(3).padStart(10)}`,
  )
  if (row.failed > 0) console.log(`       ${row.failed} failed`)
  if (row.lateRequests > 0) {
    console.log(
      `       ${row.lateRequests} went out late: this machine is too busy for --speed ${speed}`,
    )
  }
}
