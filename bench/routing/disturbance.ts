/** What goes wrong, or is wrongly known, in the table of robustness. */
import { slowedStepTime } from '#batching/step-time.ts'
import type { LatencyTargets } from '#routing/dispatcher.ts'
import type { FleetEndpoint } from '#simulator/fleet-file.ts'
import { sustained } from '#simulator/ideal-weight.ts'
import type { RunOptions } from '#simulator/run.ts'
import type { Trace } from '#simulator/traces/trace.ts'
import type { TraceName } from './workload.ts'

interface Setting {
  readonly fleet: readonly FleetEndpoint[]
  readonly trace: Trace
  readonly targets: LatencyTargets
}

interface Disturbance {
  readonly title: string
  readonly options: (setting: Setting) => Partial<RunOptions>
  /** Run in place of `fastest`, and alone. */
  readonly policy?: string
  /** What is left of the fleet from then on, where something of it is gone. */
  readonly left?: (setting: Setting) => readonly FleetEndpoint[]
}

/** When something breaks. Everything is measured from here on, also where nothing does. */
const atMs = 120_000

const measured = { warmUpMs: atMs }

export const disturbances = {
  none: { title: 'nothing', options: () => measured },
  'stale-50': {
    title: 'reports of engines 50 ms old, one a second',
    options: () => ({ ...measured, reportDelayMs: 50 }),
  },
  'stale-250': {
    title: '250 ms old',
    options: () => ({ ...measured, reportDelayMs: 250 }),
  },
  'stale-1000': {
    title: '1 s old',
    options: () => ({ ...measured, reportDelayMs: 1_000 }),
  },
  'speed-30': {
    title: 'speeds told up to 30 % wrong',
    options: () => ({ ...measured, speedErrorRatio: 0.3 }),
  },
  'speed-50': {
    title: 'speeds told up to 50 % wrong',
    options: () => ({ ...measured, speedErrorRatio: 0.5 }),
  },
  'speed-30-unlearnt': {
    title: 'up to 30 % wrong, and nothing learnt',
    options: () => ({ ...measured, speedErrorRatio: 0.3 }),
    policy: 'fastest-without-learning',
  },
  'speed-50-unlearnt': {
    title: 'up to 50 % wrong, and nothing learnt',
    options: () => ({ ...measured, speedErrorRatio: 0.5 }),
    policy: 'fastest-without-learning',
  },
  untold: {
    title: 'nothing told: neither speeds, limits nor load',
    options: () => ({ ...measured, tells: false, reportEveryMs: 0 }),
  },
  plain: {
    title: 'and no weights nor limits set by anybody',
    options: () => ({ ...measured, tells: false, reportEveryMs: 0, tuned: false }),
  },
  'slow-middle': {
    title: 'a middle endpoint at half speed from 120 s',
    options: (setting) => ({ ...measured, faults: [slow(byStrength(setting, 0.5))] }),
    left: (setting) => slowed(setting.fleet, byStrength(setting, 0.5)),
  },
  'slow-middle-unlearnt': {
    title: 'the same, and nothing learnt',
    options: (setting) => ({ ...measured, faults: [slow(byStrength(setting, 0.5))] }),
    policy: 'fastest-without-learning',
    left: (setting) => slowed(setting.fleet, byStrength(setting, 0.5)),
  },
  'slow-strongest': {
    title: 'the strongest endpoint at half speed from 120 s',
    options: (setting) => ({ ...measured, faults: [slow(byStrength(setting, 0))] }),
    left: (setting) => slowed(setting.fleet, byStrength(setting, 0)),
  },
  'slow-strongest-unlearnt': {
    title: 'the same, and nothing learnt',
    options: (setting) => ({ ...measured, faults: [slow(byStrength(setting, 0))] }),
    policy: 'fastest-without-learning',
    left: (setting) => slowed(setting.fleet, byStrength(setting, 0)),
  },
  'slow-strongest-known': {
    title: 'the same, from the start and told',
    options: (setting) => ({ ...measured, fleet: slowed(setting.fleet, byStrength(setting, 0)) }),
    policy: 'fastest',
  },
  'lost-middle': {
    title: 'a middle endpoint lost at 120 s',
    options: (setting) => ({ ...measured, faults: [lost(byStrength(setting, 0.5))] }),
    left: (setting) => without(setting.fleet, byStrength(setting, 0.5)),
  },
  'lost-strongest': {
    title: 'the strongest endpoint lost at 120 s',
    options: (setting) => ({ ...measured, faults: [lost(byStrength(setting, 0))] }),
    left: (setting) => without(setting.fleet, byStrength(setting, 0)),
  },
  'lost-strongest-known': {
    title: 'the same, never there',
    options: (setting) => ({ ...measured, fleet: without(setting.fleet, byStrength(setting, 0)) }),
    policy: 'fastest',
  },
  bypass: {
    title: '10 % of the traffic goes past the router',
    options: () => ({ ...measured, bypassRatio: 0.1 }),
  },
  cold: {
    title: 'cold caches: measured from the first request on',
    options: () => ({ warmUpMs: 0, durationMs: atMs }),
  },
} as const satisfies Readonly<Record<string, Disturbance>>

export type DisturbanceName = keyof typeof disturbances

/** Disturbances with all that they may have. */
export const disturbanceOf = (name: DisturbanceName): Disturbance => disturbances[name]

export const disturbanceNames = Object.keys(disturbances) as readonly DisturbanceName[]

/** Caches are cold on the one trace that tells what is in them. */
export function disturbedTraces(name: DisturbanceName): readonly TraceName[] {
  if (name === 'none') return ['azure-conv', 'mooncake']
  return [name === 'cold' ? 'mooncake' : 'azure-conv']
}

const slowFactor = 2

const slow = (endpoint: number) =>
  ({ kind: 'slow', endpoint, factor: slowFactor, atMs, untilMs: Number.MAX_SAFE_INTEGER }) as const

const lost = (endpoint: number) =>
  ({ kind: 'lost', endpoint, atMs, untilMs: Number.MAX_SAFE_INTEGER }) as const

/** Every step of it takes twice as long. */
function slowed(fleet: readonly FleetEndpoint[], at: number): readonly FleetEndpoint[] {
  return fleet.map((endpoint, index) =>
    index === at
      ? { ...endpoint, stepTime: slowedStepTime(endpoint.stepTime, slowFactor) }
      : endpoint,
  )
}

const without = (fleet: readonly FleetEndpoint[], at: number) =>
  fleet.filter((_, index) => index !== at)

/** The place of the endpoint that is so far down (0: the strongest, 1: the weakest) by ideal weight. */
function byStrength({ fleet, trace, targets }: Setting, down: number): number {
  const { requests } = trace
  const mean = (size: (request: (typeof requests)[number]) => number) =>
    requests.reduce((sum, request) => sum + size(request), 0) / requests.length
  const mix = {
    promptTokens: mean(({ promptTokens }) => promptTokens),
    outputTokens: mean(({ outputTokens }) => outputTokens),
  }
  const strengths = fleet.map((endpoint, index) => ({
    index,
    rate: sustained(endpoint, mix, targets.tpotMs ?? 100).requestsPerSecond,
  }))
  strengths.sort((one, other) => other.rate - one.rate)
  return (strengths[Math.round(down * (fleet.length - 1))] as { index: number }).index
}
