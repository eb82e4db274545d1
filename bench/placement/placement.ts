/**
 * How long a plan takes, and how far it is from the best one: `npm run bench:placement`. Options:
 * `--part speed|gap`, `--instances N`, `--json`.
 */
import { parseArgs } from 'node:util'
import { speedReferences } from '#hardware/speed-references.ts'
import { createExactPlanner } from '#placement/exact/exact-planner.ts'
import { createFitReplica } from '#placement/fit-replica.ts'
import type { Plan, PlanInput, Planner } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { planSeconds } from '#placement/planner/plan-seconds.ts'
import { createPlanner } from '#placement/planner/planner.ts'
import { loadLinearSolver } from '#std/linear-solver.ts'
import { benchFleet } from './fleet.ts'

const { values: options } = parseArgs({
  options: {
    part: { type: 'string' },
    instances: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})

const fitReplica = createFitReplica(speedReferences)

interface SpeedRow {
  readonly nodes: number
  readonly deployments: number
  readonly replicas: number
  readonly placed: number
  readonly firstMs: number
  readonly firstCpuMs: number
  readonly againMs: number
  readonly heapMebibytes: number
}

const sizes = [
  { nodes: 10, deployments: 10 },
  { nodes: 30, deployments: 20 },
  { nodes: 100, deployments: 50 },
  { nodes: 300, deployments: 100 },
  { nodes: 1_000, deployments: 300 },
  { nodes: 2_000, deployments: 300 },
  { nodes: 5_000, deployments: 300 },
]

function measureSpeed(planner: Planner): SpeedRow[] {
  // Compiled code first, as in a controller that has run for a minute.
  for (let seed = 0; seed < 3; seed += 1) planner(benchFleet({ nodes: 50, deployments: 30, seed }))
  return sizes.map(({ nodes, deployments }) => {
    const input = benchFleet({ nodes, deployments, seed: 1 })
    globalThis.gc?.()
    const heapBefore = process.memoryUsage().heapUsed
    const cpuBefore = process.cpuUsage()
    const [made, firstMs] = timed(() => planner(input))
    const cpu = process.cpuUsage(cpuBefore)
    const firstCpuMs = (cpu.user + cpu.system) / 1_000
    const heapMebibytes = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20
    const settled = { ...input, inventory: applyPlan(input.inventory, made) }
    const [, againMs] = timed(() => planner(settled))
    const missing = made.unplaced.reduce((sum, one) => sum + one.missing, 0)
    const placed = made.replicas.length
    return {
      nodes,
      deployments,
      replicas: placed + missing,
      placed,
      firstMs,
      firstCpuMs,
      againMs,
      heapMebibytes,
    }
  })
}

interface GapSummary {
  readonly instances: number
  readonly proven: number
  readonly sameUnmet: number
  readonly meanGapPercent: number
  readonly worstGapPercent: number
  readonly within2Percent: number
  readonly searchMsMean: number
  readonly exactMsMean: number
}

/** Random fleets of 3 to 12 nodes, as full as they come: the search against the solver. */
async function measureGap(search: Planner, instances: number): Promise<GapSummary> {
  // The question here is how far from the best a plan is: for that it may take longer.
  const limits = { iterationsMax: () => 30_000, gapRatio: 1e-4 }
  const exact = createExactPlanner(fitReplica, await loadLinearSolver(limits))
  let proven = 0
  let sameUnmet = 0
  let searchMs = 0
  let exactMs = 0
  const gaps: number[] = []
  for (let seed = 1; seed <= instances; seed += 1) {
    const nodes = 3 + (seed % 10)
    const input = benchFleet({
      nodes,
      deployments: Math.ceil(nodes * 1.2),
      seed,
      replicasEach: [1, 1, 2],
    })
    const [found, foundMs] = timed(() => search(input))
    const [best, bestMs] = timed(() => exact(input))
    searchMs += foundMs
    exactMs += bestMs
    if (best.optimizer.gapRatio !== 0) continue
    proven += 1
    if (unmetText(found, input) !== unmetText(best, input)) continue
    sameUnmet += 1
    const bestSeconds = planSeconds(input, best, fitReplica)
    if (bestSeconds > 0) gaps.push(planSeconds(input, found, fitReplica) / bestSeconds - 1)
  }
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / Math.max(1, gaps.length)
  return {
    instances,
    proven,
    sameUnmet,
    meanGapPercent: mean * 100,
    worstGapPercent: Math.max(0, ...gaps) * 100,
    within2Percent: gaps.filter((gap) => gap <= 0.02).length,
    searchMsMean: searchMs / instances,
    exactMsMean: exactMs / instances,
  }
}

function unmetText(plan: Plan, { deployments }: PlanInput): string {
  const counts: Record<string, number> = {}
  for (const { deployment: name, missing } of plan.unplaced) {
    const { priority } = deployments.find((one) => one.name === name)!
    counts[priority] = (counts[priority] ?? 0) + missing
  }
  return JSON.stringify(Object.entries(counts).toSorted())
}

function timed<T>(work: () => T): [T, number] {
  const from = performance.now()
  const result = work()
  return [result, performance.now() - from]
}

const planner = createPlanner(fitReplica)
const speed = options.part === 'gap' ? null : measureSpeed(planner)
const gap = options.part === 'speed' ? null : await measureGap(planner, Number(options.instances))
if (options.json) console.log(JSON.stringify({ speed, gap }))
else {
  if (speed !== null) {
    console.log('nodes deployments replicas placed  first ms    cpu ms  again ms  heap MiB')
    for (const row of speed) {
      const figures = [row.firstMs, row.firstCpuMs, row.againMs, row.heapMebibytes]
      const counts = [row.nodes, row.deployments, row.replicas, row.placed]
      const widths = [5, 11, 8, 6]
      const left = counts.map((count, at) => String(count).padStart(widths[at]!)).join(' ')
      console.log(`${left} ${figures.map((figure) => figure.toFixed(1).padStart(9)).join(' ')}`)
    }
  }
  if (gap !== null) console.log(gap)
}
