/**
 * Settings of one setup, of falling size, for devices that are shared or partly taken: the planner
 * climbs down as far as it must, and no further.
 */
import type { Deployment } from '#core/deployment.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { allowedKvCacheTypes } from '#placement/allowed-kv-cache-types.ts'
import { type Fit, type FitLimits, noLimits } from '#placement/fit.ts'
import { halvedSeconds } from '#placement/planner/ranks/company.ts'
import { contextTokensMin, contextWorth } from '#placement/settings-to-try.ts'

export type Fits = Extract<Fit, { kind: 'fits' }>

export interface Rung {
  /** Of each device, in the order of the setup's devices. */
  readonly needBytes: readonly number[]
  readonly hostBytes: number
  /** What being smaller than the first rung costs; never less than on the rung above. */
  readonly shrunkSeconds: number
  readonly fit: Fits
}

export interface LadderQuestions {
  readonly ask: (limits: FitLimits) => Fit
  /** What a setting costs beside its size: slower answers, or worse ones. */
  readonly concededSeconds: (fit: Fits) => number
  /** Of the rungs below the first, in order. */
  readonly limits: readonly FitLimits[]
}

/** Rungs of one question, asked for when somebody climbs down to them. */
export class Ladder {
  readonly #rungs: Rung[]
  readonly #questions: LadderQuestions
  #asked = 0

  constructor(top: Fits, questions: LadderQuestions) {
    this.#questions = questions
    this.#rungs = [rungOf(top, 0)]
  }

  get top(): Rung {
    return this.#rungs[0]!
  }

  /** The rung at this position; null below the last. */
  at(position: number): Rung | null {
    while (this.#rungs.length <= position) {
      const next = this.#questions.limits[this.#asked]
      if (next === undefined) return null
      this.#asked += 1
      const fit = this.#questions.ask(next)
      if (fit.kind === 'no') continue
      const above = this.#rungs.at(-1)!
      const least = above.shrunkSeconds + rungSeconds
      const rung = rungOf(fit, Math.max(this.#shrunkSeconds(fit), least))
      if (sum(rung.needBytes) < sum(above.needBytes) * 0.99) this.#rungs.push(rung)
    }
    return this.#rungs[position]!
  }

  get all(): readonly Rung[] {
    while (this.at(this.#rungs.length) !== null);
    return this.#rungs
  }

  #shrunkSeconds(fit: Fits): number {
    const { setting } = fit
    const top = this.top.fit
    const halvings =
      Math.log2(top.setting.contextTokens / setting.contextTokens) +
      Math.log2((top.setting.memoryFraction ?? 1) / (setting.memoryFraction ?? 1))
    const concedes =
      setting.kvCacheType !== top.setting.kvCacheType || setting.offload !== top.setting.offload
    const { concededSeconds } = this.#questions
    const conceded = concedes ? concededSeconds(fit) - concededSeconds(top) : 0
    return Math.max(0, halvings) * halvedSeconds + Math.max(0, conceded)
  }
}

/** Between two rungs that are worth the same, the upper one is worth climbing to. */
const rungSeconds = 0.01

/** Below this, what an engine holds beside the weights is the most of what it was given. */
const leastFraction = 0.1

/** Fine enough to leave no more than a fifth of a device unused, coarse enough to try them all. */
const fractionStep = 0.8

/** Parts of the layers that are left to the CPU for the sake of neighbours. */
const hostParts = [0.25, 0.5, 0.75]

/**
 * Where one may be smaller than the first that fits: less context, then fewer bits for keys and
 * values, then fewer layers on its devices, each as far as the deployment leaves it open.
 */
export function tighterLimits(
  { setting }: Fits,
  deployment: Deployment,
  engine: EngineFacts,
): readonly FitLimits[] {
  if (setting.memoryFraction !== null) return fractionLimits(setting.memoryFraction)
  const { contextTokens, kvCacheType, offload } = setting
  const allowed = allowedKvCacheTypes(deployment, engine, setting.backend)
  const types = allowed.slice(Math.max(0, allowed.indexOf(kvCacheType)))
  const last = types.at(-1) ?? null
  const open = deployment.contextTokens === null
  const limits = types.flatMap((type, position): FitLimits[] => {
    const here = { ...noLimits, kvCacheType: position === 0 ? null : type }
    // Fewer bits come before a context that is too short for a conversation.
    const least = type === last ? contextTokensMin : contextWorth
    const steps = open ? halvings(contextTokens, least) : []
    const shorter = steps.map((tokens) => ({ ...here, contextTokens: tokens }))
    return position === 0 ? shorter : [here, ...shorter]
  })
  if (deployment.offload !== true || setting.backend === 'cpu') return limits
  const already = Math.max(offload?.layersOnHost ?? 0, offload?.expertLayersOnHost ?? 0)
  const { facts = null } = deployment.variants.find(({ source }) => source === setting.source) ?? {}
  const mins = hostParts.map((part) => Math.ceil(part * (facts?.layerCount ?? 0)))
  return [
    ...limits,
    ...mins
      .filter((min) => min > already)
      .map((hostLayersMin) => ({ ...noLimits, kvCacheType: last, hostLayersMin })),
  ]
}

function fractionLimits(fraction: number): readonly FitLimits[] {
  const limits: FitLimits[] = []
  for (let part = fraction * fractionStep; part >= leastFraction; part *= fractionStep) {
    limits.push({ ...noLimits, memoryFraction: Math.round(part * 100) / 100 })
  }
  return limits
}

function halvings(tokens: number, least: number): readonly number[] {
  const steps: number[] = []
  for (let half = tokens / 2; half >= least; half /= 2) steps.push(Math.floor(half))
  return steps
}

function rungOf(fit: Fits, shrunkSeconds: number): Rung {
  const { memory } = fit
  return {
    // Whole bytes, so that sums come out the same in any order.
    needBytes: memory.devices.map(({ needBytes }) => Math.ceil(needBytes)),
    hostBytes: Math.ceil(memory.hostBytes),
    shrunkSeconds,
    fit,
  }
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
