/** Runs that are made once: each is looked up among the results before it is run. */
import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { attainmentBound, fluidBound } from '#simulator/bound/fluid-bound.ts'
import { uncachedSizes } from '#simulator/bound/uncached-sizes.ts'
import { playedTrace } from '#simulator/played-trace.ts'
import { policyOf } from '#simulator/policies.ts'
import { run } from '#simulator/run.ts'
import { type DisturbanceName, disturbanceOf } from './disturbance.ts'
import { type Figures, figuresOf, type Results, short } from './results.ts'
import { goByReports, limitRatios, tunedRival } from './rivals.ts'
import {
  boundOf,
  type FleetName,
  fleetsOf,
  type How,
  loadFleet,
  loads,
  loadWorkload,
  seeds,
  type TraceName,
  tuningSeed,
  type Workload,
} from './workload.ts'

type Fleet = Awaited<ReturnType<typeof loadFleet>>

export interface Case {
  readonly fleet: FleetName
  readonly trace: TraceName
  readonly policy: string
}

export interface Point extends Case {
  readonly how: How
  /** Part of the LP bound. */
  readonly load: number
  readonly seed: number
}

/** Requests per second of all seeds, and the most that any policy could serve of such. */
export interface Window {
  readonly perSecond: number
  readonly bound: number
}

/** A load in parts of what is left, and the most that can be in time then. */
export interface Left {
  readonly load: number
  readonly attainmentMax: number
}

export class Bench {
  readonly results: Results
  /** CPU seconds spent on runs by this process. */
  cpuSeconds = 0
  runs = 0
  readonly #fleets = new Map<string, Fleet>()
  readonly #workloads = new Map<string, Workload>()
  readonly #progress: (text: string) => void

  constructor(results: Results, progress: (text: string) => void) {
    this.results = results
    this.#progress = progress
  }

  async fleet(name: FleetName): Promise<Fleet> {
    const fleet = this.#fleets.get(name) ?? (await loadFleet(name))
    this.#fleets.set(name, fleet)
    return fleet
  }

  async workload(name: TraceName): Promise<Workload> {
    const workload = this.#workloads.get(name) ?? (await loadWorkload(name))
    this.#workloads.set(name, workload)
    return workload
  }

  /** The LP bound, requests per second. */
  async bound(fleet: FleetName, trace: TraceName): Promise<number> {
    const key = `${fleet} ${trace}`
    const known = this.results.get<number>('bounds', key)
    if (known !== undefined) return known
    const bound = await boundOf(await this.fleet(fleet), await this.workload(trace))
    this.results.set('bounds', key, Number(bound.toPrecision(5)))
    return this.bound(fleet, trace)
  }

  /** The same for one model of several, if nothing else were asked for. */
  async boundAlone(fleet: FleetName, trace: TraceName, model: string): Promise<number> {
    const key = `${fleet} ${trace} ${model}`
    const known = this.results.get<number>('bounds', key)
    if (known !== undefined) return known
    const { trace: all, targets } = await this.workload(trace)
    const requests = all.requests.filter((request) => request.model === model)
    const sizes = uncachedSizes({ ...all, requests })
    this.results.set(
      'bounds',
      key,
      short(await fluidBound(await this.fleet(fleet), sizes, targets)),
    )
    return this.boundAlone(fleet, trace, model)
  }

  /**
   * What came in the measured time of all seeds, and how much of just that the fleet could take at
   * most with so large a part in time: what was asked for may differ from both, since a window has
   * more or fewer requests than the whole trace, and others.
   */
  async window(
    { fleet, trace, how, load }: Omit<Point, 'policy' | 'seed'>,
    attainment: number,
  ): Promise<Window> {
    const key = `${fleet} ${trace} ${how} ${load.toFixed(2)} ${attainment}`
    const known = this.results.get<Window>('windows', key)
    if (known !== undefined) return known
    const workload = await this.workload(trace)
    const { durationMs, warmUpMs } = workload.times
    const ratePerSecond = load * (await this.bound(fleet, trace))
    const came = seeds.flatMap((seed) => {
      const played = playedTrace({ trace: workload.trace, ratePerSecond, seed, how, durationMs })
      const sizes = uncachedSizes(played)
      return sizes.filter((_, at) => (played.requests[at]?.arrivalMs ?? 0) >= warmUpMs)
    })
    const most = await fluidBound(await this.fleet(fleet), came, workload.targets, attainment)
    const seconds = (seeds.length * (durationMs - warmUpMs)) / 1_000
    const window = { perSecond: short(came.length / seconds), bound: short(most) }
    this.results.set('windows', key, window)
    this.#progress(`window ${key}`)
    return window
  }

  /** What is left of a fleet that is disturbed so, asked for a part of the bound of the whole. */
  async left(fleet: FleetName, load: number, disturbance: DisturbanceName): Promise<Left | null> {
    const trace = 'azure-conv'
    const { left } = disturbanceOf(disturbance)
    if (left === undefined) return null
    const key = `${fleet} ${disturbance} ${load.toFixed(2)}`
    const known = this.results.get<Left>('left', key)
    if (known !== undefined) return known
    const workload = await this.workload(trace)
    const { targets } = workload
    const rest = left({ fleet: await this.fleet(fleet), ...workload })
    const sizes = uncachedSizes(workload.trace)
    const rate = load * (await this.bound(fleet, trace))
    const found = {
      load: short(rate / (await fluidBound(rest, sizes, targets))),
      attainmentMax: short(await attainmentBound(rest, sizes, targets, rate)),
    }
    this.results.set('left', key, found)
    return found
  }

  async point(point: Point): Promise<Figures> {
    const { policy } = point
    const key = keyOf(point)
    const known = this.results.get<Figures>(policy, key)
    if (known !== undefined) return known
    const figures = await this.#run(await this.#limited(point))
    this.results.set(policy, key, figures)
    this.#progress(`${policy} ${key}`)
    return figures
  }

  /** Whether a run that is kept of a trace would come out the same today; true when there is none. */
  async isCurrent(policy: string, trace: TraceName): Promise<boolean> {
    for (const fleet of fleetsOf(trace)) {
      for (const load of loads.toReversed()) {
        const point = { fleet, trace, policy, how: 'superpose', load, seed: 1 } as const
        const kept = this.results.get<Figures>(policy, keyOf(point))
        if (kept === undefined) continue
        return isDeepStrictEqual(await this.#run(await this.#limited(point)), kept)
      }
    }
    return true
  }

  /** Of the last three fifths of a run, in which the disturbance is. */
  async disturbed(point: Omit<Point, 'how'>, disturbance: DisturbanceName): Promise<Figures> {
    const { fleet, trace, load, policy, seed } = point
    const key = `${policy} ${fleet} ${trace} ${load.toFixed(2)} ${seed} ${disturbance}`
    const known = this.results.get<Figures>('disturbed', key)
    if (known !== undefined) return known
    const run = { ...point, policy: disturbanceOf(disturbance).policy ?? policy }
    const limited = await this.#limited({ ...run, how: 'superpose' })
    const figures = await this.#run(limited, disturbance)
    this.results.set('disturbed', key, figures)
    this.#progress(key)
    return figures
  }

  /** How much of what each endpoint can sustain the strongest rival is best limited to. */
  async limitRatio(fleet: FleetName, trace: TraceName): Promise<number> {
    const key = `${fleet} ${trace}`
    const known = this.results.get<number>('limits', key)
    if (known !== undefined) return known
    let best = { ratio: 1, attainment: -1 }
    for (const ratio of limitRatios) {
      const policy = `${tunedRival}:${ratio}`
      const { attainment } = await this.#run({
        fleet,
        trace,
        policy,
        how: 'superpose',
        load: 0.7,
        seed: tuningSeed,
      })
      if (attainment > best.attainment) best = { ratio, attainment }
    }
    this.results.set('limits', key, best.ratio)
    this.#progress(`limit of ${key}: ${best.ratio}`)
    return best.ratio
  }

  async #limited(point: Point): Promise<Point> {
    const { policy, fleet, trace } = point
    if (policy !== tunedRival) return point
    return { ...point, policy: `${policy}:${await this.limitRatio(fleet, trace)}` }
  }

  async #run(point: Point, disturbance: DisturbanceName | null = null): Promise<Figures> {
    const policy = policyOf(point.policy)
    if (policy === null) throw new Error(`There is no policy ${point.policy}.`)
    const fleet = await this.fleet(point.fleet)
    const { trace, targets, times } = await this.workload(point.trace)
    const bound = await this.bound(point.fleet, point.trace)
    const startedAt = process.cpuUsage().user
    // A run takes a second or two without a pause: signals are heard between runs.
    await setImmediate()
    const metrics = run({
      fleet,
      trace,
      policy,
      targets,
      ratePerSecond: point.load * bound,
      seed: point.seed,
      how: point.how,
      ...times,
      ...(goByReports.includes(point.policy) && { reportEveryMs: 50 }),
      ...(disturbance !== null && disturbanceOf(disturbance).options({ fleet, trace, targets })),
    })
    this.runs++
    this.cpuSeconds += (process.cpuUsage().user - startedAt) / 1e6
    return figuresOf(metrics)
  }
}

export const keyOf = ({ fleet, trace, how, load, seed }: Point) =>
  `${fleet} ${trace} ${how} ${load.toFixed(2)} ${seed}`
