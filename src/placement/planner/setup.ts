/**
 * A setup is one way to have a replica on machines of a class: which variant, read by which engine,
 * on which of the devices. Its rungs are settings of falling size, for devices that are shared or
 * partly taken: the planner climbs down as far as it must, and no further.
 */
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import { type Backend, backendsOfVendor, type LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import type { Blocker, Fit, FitLimits, FitReplica } from '#placement/fit.ts'
import type { PlacementDevice } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { deviceChecks, fitChecks, wayChecks } from '#placement/planner/checks/index.ts'
import { emptyHostBytes, emptyRoom } from '#placement/planner/empty-room.ts'
import { halvedSeconds } from '#placement/planner/ranks/company.ts'
import { ranks } from '#placement/planner/ranks/index.ts'
import type { RememberedFit } from '#placement/planner/remembered-fit.ts'
import type { MachineClass } from '#placement/planner/site.ts'
import { gibibytes } from '#placement/planner/words.ts'

export type Fits = Extract<Fit, { kind: 'fits' }>

export interface Rung {
  /** Of each device, in the order of the setup's devices. */
  readonly needBytes: readonly number[]
  readonly hostBytes: number
  /** What being smaller than the first rung costs. */
  readonly shrunkSeconds: number
  readonly fit: Fits
}

export interface Setup {
  /** Positions of its devices among those of the node. */
  readonly locals: readonly number[]
  readonly variantIndex: number
  readonly engineIndex: number
  readonly backend: Backend
  readonly kind: LaunchKind
  /** Sum of the ranks that are alike on all nodes of the class. */
  readonly seconds: number
  readonly ladder: Ladder
}

/** What was tried on devices of a class, and why it cannot be. */
export interface RefusedSetup {
  readonly locals: readonly number[]
  readonly blockers: readonly Blocker[]
  readonly fit: Extract<Fit, { kind: 'no' }> | null
}

export interface Setups {
  /** The best first. */
  readonly possible: readonly Setup[]
  readonly refused: readonly RefusedSetup[]
}

/** Rungs of one question, asked for when somebody climbs down to them. */
export class Ladder {
  readonly #rungs: Rung[]
  #limits: readonly FitLimits[] | null = null
  readonly #ask: (limits: FitLimits) => Fit
  readonly #canShrinkContext: boolean

  constructor(top: Fits, ask: (limits: FitLimits) => Fit, canShrinkContext: boolean) {
    this.#rungs = [rungOf(top, top)]
    this.#ask = ask
    this.#canShrinkContext = canShrinkContext
  }

  get top(): Rung {
    return this.#rungs[0]!
  }

  /** The rung at this position; null below the last. */
  at(position: number): Rung | null {
    while (this.#rungs.length <= position) {
      this.#limits ??= tighterLimits(this.top.fit, this.#canShrinkContext)
      const [next, ...rest] = this.#limits
      if (next === undefined) return null
      this.#limits = rest
      const fit = this.#ask(next)
      if (fit.kind === 'no') continue
      const rung = rungOf(fit, this.top.fit)
      const above = this.#rungs.at(-1)!
      if (sum(rung.needBytes) < sum(above.needBytes) * 0.99) this.#rungs.push(rung)
    }
    return this.#rungs[position]!
  }

  get all(): readonly Rung[] {
    while (this.at(this.#rungs.length) !== null);
    return this.#rungs
  }
}

/** A conversation of some thousand tokens is the least that a chat model is of use for. */
const leastContextTokens = 2_048

/** Below this, what an engine holds beside the weights is the most of what it was given. */
const leastFraction = 0.1

/** Fine enough to leave no more than a fifth of a device unused, coarse enough to try them all. */
const fractionStep = 0.8

function tighterLimits({ setting }: Fits, canShrinkContext: boolean): FitLimits[] {
  const none = { contextTokens: null, slots: null, memoryFraction: null }
  const limits: FitLimits[] = []
  if (setting.memoryFraction !== null) {
    const first = setting.memoryFraction * fractionStep
    for (let fraction = first; fraction >= leastFraction; fraction *= fractionStep) {
      limits.push({ ...none, memoryFraction: Math.round(fraction * 100) / 100 })
    }
    return limits
  }
  if (!canShrinkContext) return limits
  for (let tokens = setting.contextTokens / 2; tokens >= leastContextTokens; tokens /= 2) {
    limits.push({ ...none, contextTokens: Math.floor(tokens) })
  }
  return limits
}

function rungOf(fit: Fits, top: Fits): Rung {
  const { setting, memory } = fit
  const halvings =
    Math.log2(top.setting.contextTokens / setting.contextTokens) +
    Math.log2((top.setting.memoryFraction ?? 1) / (setting.memoryFraction ?? 1))
  return {
    // Whole bytes, so that sums come out the same in any order.
    needBytes: memory.devices.map(({ needBytes }) => Math.ceil(needBytes)),
    hostBytes: Math.ceil(memory.hostBytes),
    shrunkSeconds: Math.max(0, halvings) * halvedSeconds,
    fit,
  }
}

/** All setups of one deployment on one class of machines. */
export function setupsOf(
  deployment: Deployment,
  machineClass: MachineClass,
  input: PlanInput,
  fit: FitReplica,
  remembered: RememberedFit,
): Setups {
  const node = machineClass.example
  // What was measured may have changed since, and belongs to one node alone.
  const askFit: FitReplica = machineClass.wasMeasured
    ? fit
    : (question) => remembered(question, machineClass.key)
  const possible: Setup[] = []
  const refused: RefusedSetup[] = []
  const usable = machineClass.kinds.flatMap((kind) => {
    const blockers = deviceChecks.flatMap(
      (check) => check.refuse(deployment, kind.example, node) ?? [],
    )
    if (blockers.length === 0) return [kind]
    for (const local of kind.locals) refused.push({ locals: [local], blockers, fit: null })
    return []
  })
  for (const [local, device] of node.devices.entries()) {
    if (device.device.schedulable) continue
    const blockers = deviceChecks.flatMap((check) => check.refuse(deployment, device, node) ?? [])
    refused.push({ locals: [local], blockers, fit: null })
  }

  // Engines that take memory alike are alike in speed, as far as anybody has not measured it here:
  // the first of the catalog that fits speaks for the others.
  const settled = new Set<string>()
  for (const [variantIndex, variant] of deployment.variants.entries()) {
    for (const [engineIndex, engine] of input.engines.entries()) {
      const blockers = wayChecks.flatMap(
        (check) => check.refuse(deployment, { variant, engine }, node) ?? [],
      )
      if (blockers.length > 0) {
        // An engine that reads other files is no candidate that anybody would ask about.
        if (!blockers.some(({ check }) => check === 'format' || check === 'task')) {
          refused.push({ locals: [], blockers, fit: null })
        }
        continue
      }
      const built = backendsHere(
        deployment,
        engine,
        usable.map((kind) => kind.example),
      )
      if (built.length === 0 && deployment.constraints.backends === null) {
        // It is built for none of these devices: what that is called, compatibility knows.
        for (const { example, locals } of usable) {
          const fit = askFit({
            deployment,
            variant,
            engine,
            backend: backendsOfVendor[example.device.vendor][0] ?? 'cpu',
            kind: 'native',
            node,
            devices: [example],
            promisedBytes: {},
            limits: { contextTokens: null, slots: null, memoryFraction: null },
            memory: [],
            speeds: [],
          })
          if (fit.kind === 'no') {
            // Installing it would not help.
            const blockers = fit.blockers.filter(({ check }) => check !== 'installed')
            refused.push({ locals: [locals[0]!], blockers, fit })
          }
        }
      }
      for (const backend of built) {
        const kinds = usable.filter(({ example }) =>
          backendsOfVendor[example.device.vendor].includes(backend),
        )
        const tried = new Map<string, 'fits' | 'no'>()
        const attempt = (locals: readonly number[], alike: readonly (readonly number[])[]) => {
          const devices = locals.map((local) => node.devices[local]!)
          const alikeKey = `${variantIndex} ${backend} ${engine.memory.kind} ${locals.join()}`
          if (settled.has(alikeKey)) {
            tried.set(locals.join(), 'fits')
            return
          }
          const tooLarge = weightsBlocker(variant, engine, machineClass, devices)
          if (tooLarge !== null) {
            refused.push({ locals, blockers: [tooLarge], fit: null })
            return
          }
          let bestKind: LaunchKind | null = null
          for (const kind of launchKinds(engine, backend, machineClass)) {
            const ask = (limits: FitLimits) =>
              askFit({
                deployment,
                variant,
                engine,
                backend,
                kind,
                node,
                devices,
                promisedBytes: {},
                limits,
                memory: input.inventory.memory,
                speeds: input.inventory.speeds,
              })
            const fit = ask({ contextTokens: null, slots: null, memoryFraction: null })
            const against =
              fit.kind === 'no'
                ? fit.blockers
                : fitChecks.flatMap((check) => check.refuse(deployment, fit) ?? [])
            if (fit.kind === 'no' || against.length > 0) {
              refused.push({ locals, blockers: against, fit: fit.kind === 'no' ? fit : null })
              // Started in another way it needs as much.
              if (against.every(({ check }) => check === 'memory')) break
              continue
            }
            bestKind = kind
            // One that needs something set does not speak for another, which may need nothing.
            if (!machineClass.wasMeasured && fit.setting.settings.length === 0) {
              settled.add(alikeKey)
            }
            const ladder = new Ladder(fit, ask, deployment.contextTokens === null)
            const seconds = classSeconds(
              deployment,
              variantIndex,
              engineIndex,
              machineClass,
              devices,
              fit,
            )
            for (const same of alike) {
              possible.push({
                locals: same,
                variantIndex,
                engineIndex,
                backend,
                kind,
                seconds,
                ladder,
              })
            }
            break
          }
          tried.set(locals.join(), bestKind === null ? 'no' : 'fits')
        }
        for (const kind of kinds) {
          attempt(
            [kind.locals[0]!],
            kind.locals.map((local) => [local]),
          )
        }
        for (const { locals, alike } of deviceSets(engine, kinds)) {
          if (smallerFits(tried, locals)) continue
          attempt(locals, alike)
        }
      }
    }
  }
  possible.sort((a, b) => a.seconds - b.seconds)
  return { possible: withoutDominated(possible), refused }
}

/** Weights alone may say that no setting fits, without trying all of them. */
function weightsBlocker(
  { facts, source }: ModelVariant,
  { memory }: EngineFacts,
  { example }: MachineClass,
  devices: readonly PlacementDevice[],
): Blocker | null {
  if (facts === null) return null
  const mayStayOnHost = memory.kind === 'whole-context' && memory.offloads !== 'nothing'
  const onGpu = devices.some(({ device }) => device.vendor !== 'cpu')
  const host = mayStayOnHost && onGpu ? emptyHostBytes(example) : 0
  const room = sum(devices.map((device) => emptyRoom(device, example).capacityBytes)) + host
  if (facts.tensorBytes <= room) return null
  return {
    check: 'memory',
    what: `${source} is ${gibibytes(facts.tensorBytes)}, and ${devices.map(({ id }) => id).join('+')} hold ${gibibytes(room)}`,
    unlockedBy: `${gibibytes(facts.tensorBytes - room)} more, or a smaller variant`,
  }
}

/** Sets of more than one device that an engine can spread a replica over. */
function deviceSets(
  engine: EngineFacts,
  kinds: readonly { readonly example: PlacementDevice; readonly locals: readonly number[] }[],
): { locals: readonly number[]; alike: readonly (readonly number[])[] }[] {
  if (engine.spread === 'tensor-parallel') {
    return kinds.flatMap(({ locals }) => {
      const sets: { locals: readonly number[]; alike: readonly (readonly number[])[] }[] = []
      // Attention heads come in powers of two, so devices do.
      for (let size = 2; size <= locals.length; size *= 2) {
        const alike: (readonly number[])[] = []
        for (let at = 0; at + size <= locals.length; at += size) {
          alike.push(locals.slice(at, at + size))
        }
        sets.push({ locals: alike[0]!, alike })
      }
      return sets
    })
  }
  if (engine.spread === 'layers') {
    const gpus = kinds.filter(({ example }) => example.device.vendor !== 'cpu')
    const locals = gpus.flatMap((kind) => kind.locals)
    return locals
      .slice(1)
      .map((_, at) => locals.slice(0, at + 2))
      .map((set) => ({ locals: set, alike: [set] }))
  }
  return []
}

function smallerFits(
  tried: ReadonlyMap<string, 'fits' | 'no'>,
  locals: readonly number[],
): boolean {
  for (const [set, verdict] of tried) {
    if (verdict === 'no') continue
    const members = set.split(',').map(Number)
    if (members.length < locals.length && members.every((member) => locals.includes(member))) {
      return true
    }
  }
  return false
}

function backendsHere(
  deployment: Deployment,
  engine: EngineFacts,
  devices: readonly PlacementDevice[],
): Backend[] {
  const wanted = deployment.constraints.backends
  const here = new Set(devices.flatMap(({ device }) => backendsOfVendor[device.vendor]))
  const built = new Set(engine.supports.map(({ backend }) => backend))
  return [...built].filter(
    (backend) => here.has(backend) && (wanted === null || wanted.includes(backend)),
  )
}

function launchKinds(
  engine: EngineFacts,
  backend: Backend,
  { example: { engines, os } }: MachineClass,
): LaunchKind[] {
  const kinds = engine.supports
    .filter((support) => support.backend === backend && support.os.includes(os))
    .flatMap((support) => support.kinds)
  const here = engines?.find((one) => one.engine === engine.id)
  const all = [...new Set(kinds)]
  // Containers are fetched; a program has to be there. Where neither can be, the refusal says why.
  const startable = all.filter(
    (kind) => engines === null || kind === 'container' || here?.kinds.includes(kind),
  )
  if (startable.length === 0) return all
  // What an image is built for is known; what a program does not tell may be the CPU alone.
  const isSure = here?.assumed !== true
  return isSure ? startable : startable.toSorted((one, other) => rankOf(one) - rankOf(other))
}

const rankOf = (kind: LaunchKind): number => (kind === 'container' ? 0 : 1)

function classSeconds(
  deployment: Deployment,
  variantIndex: number,
  engineIndex: number,
  { example }: MachineClass,
  devices: readonly PlacementDevice[],
  fit: Fits,
): number {
  const capacityBytes = sum(devices.map((device) => emptyRoom(device, example).capacityBytes))
  const question = { deployment, variantIndex, engineIndex, devices, capacityBytes, fit }
  return ranks.reduce((total, rank) => total + rank.seconds(question), 0)
}

/**
 * A setup that costs more and needs no less of the same devices would never be chosen. Another engine
 * is kept all the same: it is what is left where the better one does not start.
 */
function withoutDominated(setups: readonly Setup[]): Setup[] {
  const leastBySet = new Map<string, number>()
  return setups.filter(({ locals, engineIndex, ladder }) => {
    const key = `${locals.join()} ${engineIndex}`
    const least = leastBySet.get(key)
    const need = sum(ladder.top.needBytes)
    if (least !== undefined && need >= least * 0.9) return false
    leastBySet.set(key, need)
    return true
  })
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}
