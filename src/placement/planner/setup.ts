/**
 * A setup is one way to have a replica on machines of a class: which variant, read by which engine,
 * on which of the devices.
 */
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import { type Backend, backendsOfVendor, type LaunchKind } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { memoryText } from '#core/memory-text.ts'
import {
  type Blocker,
  type Fit,
  type FitLimits,
  type FitReplica,
  noLimits,
} from '#placement/fit.ts'
import type { PlacementDevice } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import {
  deviceChecks,
  fitChecks,
  variantChecks,
  wayChecks,
} from '#placement/planner/checks/index.ts'
import { emptyHostBytes, emptyRoom } from '#placement/planner/empty-room.ts'
import { type Fits, Ladder, tighterLimits } from '#placement/planner/ladder.ts'
import { concededSeconds, ranks } from '#placement/planner/ranks/index.ts'
import type { RankQuestion } from '#placement/planner/ranks/rank.ts'
import type { RememberedFit } from '#placement/planner/remembered-fit.ts'
import type { MachineClass } from '#placement/planner/site.ts'

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
    const against = variantChecks.flatMap((check) => check.refuse(deployment, variant) ?? [])
    if (against.length > 0) {
      refused.push({ locals: [], blockers: against, fit: null })
      continue
    }
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
            limits: noLimits,
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
          let needsCpu = false
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
            const fit = ask(noLimits)
            const against = againstFit(deployment, fit)
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
            if (fit.setting.offload !== null) needsCpu = true
            const rankQuestion = (one: Fits): RankQuestion => ({
              ...{ deployment, variantIndex, engineIndex, devices, fit: one },
              capacityBytes: capacityOf(machineClass, devices),
            })
            const ladder = new Ladder(fit, {
              ask: (limits) => askWithChecks(deployment, () => ask(limits)),
              concededSeconds: (one) => concededSeconds(rankQuestion(one)),
              limits: tighterLimits(fit, deployment, engine),
            })
            const seconds = classSeconds(rankQuestion(fit))
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
          // With all layers on more devices it is faster than with some of them on the CPU.
          tried.set(locals.join(), bestKind === null || needsCpu ? 'no' : 'fits')
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
  const on = devices.map(({ id }) => id).join('+')
  const shortBytes = facts.tensorBytes - room
  return {
    check: 'memory',
    what: `${source} is ${memoryText(facts.tensorBytes)}, and ${on} hold ${memoryText(room)}`,
    unlockedBy: `${memoryText(shortBytes)} more, or a smaller variant`,
    short: [{ device: on, neededBytes: facts.tensorBytes, freeBytes: room, shortBytes }],
    excess: { of: on, ratio: facts.tensorBytes / Math.max(1, room) },
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

/** What speaks against a fit, or against what fits. */
function againstFit(deployment: Deployment, fit: Fit): readonly Blocker[] {
  if (fit.kind === 'no') return fit.blockers
  return fitChecks.flatMap((check) => check.refuse(deployment, fit) ?? [])
}

/** A lower rung may be slower than its target allows. */
function askWithChecks(deployment: Deployment, ask: () => Fit): Fit {
  const fit = ask()
  const blockers = againstFit(deployment, fit)
  return blockers.length === 0 || fit.kind === 'no'
    ? fit
    : { kind: 'no', blockers, memory: fit.memory, suggestions: [] }
}

function capacityOf({ example }: MachineClass, devices: readonly PlacementDevice[]): number {
  return sum(devices.map((device) => emptyRoom(device, example).capacityBytes))
}

function classSeconds(question: RankQuestion): number {
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
