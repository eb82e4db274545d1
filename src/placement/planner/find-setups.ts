/** All setups of one deployment on one class of machines, and what was tried and cannot be. */
import type { Deployment, ModelVariant } from '#core/deployment.ts'
import { type Backend, backendsOfVendor } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { memoryText } from '#core/memory-text.ts'
import {
  type Blocker,
  type Fit,
  type FitQuestion,
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
import { type DeviceKind, type DeviceSet, deviceSets } from '#placement/planner/device-sets.ts'
import { emptyHostBytes, emptyRoom } from '#placement/planner/empty-room.ts'
import { type Fits, Ladder, tighterLimits } from '#placement/planner/ladder.ts'
import { backendsHere, launchKinds } from '#placement/planner/launch-ways.ts'
import { concededSeconds, ranks } from '#placement/planner/ranks/index.ts'
import type { RankQuestion } from '#placement/planner/ranks/rank.ts'
import type { RememberedFit } from '#placement/planner/remembered-fit.ts'
import type { RefusedSetup, Setup, Setups } from '#placement/planner/setup.ts'
import type { MachineClass } from '#placement/planner/site.ts'
import { withEngine } from '#placement/planner/with-engines.ts'

export function findSetups(
  deployment: Deployment,
  machineClass: MachineClass,
  input: PlanInput,
  fit: FitReplica,
  remembered: RememberedFit,
): Setups {
  // What was measured may have changed since, and belongs to one node alone.
  const askFit: FitReplica = machineClass.wasMeasured
    ? fit
    : (question) => remembered(question, machineClass.key)
  return new SetupFinder(deployment, machineClass, input, askFit).find()
}

/** Which files, read by which engine. */
interface Way {
  readonly variant: ModelVariant
  readonly variantIndex: number
  readonly engine: EngineFacts
  readonly engineIndex: number
}

class SetupFinder {
  readonly #deployment: Deployment
  readonly #machineClass: MachineClass
  readonly #input: PlanInput
  readonly #askFit: FitReplica
  readonly #possible: Setup[] = []
  readonly #refused: RefusedSetup[] = []
  /**
   * Engines that take memory alike are alike in speed, as far as anybody has not measured it here:
   * the first of the catalog that fits speaks for the others.
   */
  readonly #settled = new Set<string>()

  constructor(
    deployment: Deployment,
    machineClass: MachineClass,
    input: PlanInput,
    askFit: FitReplica,
  ) {
    this.#deployment = deployment
    this.#machineClass = machineClass
    this.#input = input
    this.#askFit = askFit
  }

  find(): Setups {
    const usable = this.#usableDevices()
    for (const [variantIndex, variant] of this.#deployment.variants.entries()) {
      const against = variantChecks.flatMap(
        (check) => check.refuse(this.#deployment, variant) ?? [],
      )
      if (against.length > 0) {
        this.#refuse([], against)
        continue
      }
      for (const [engineIndex, engine] of this.#input.engines.entries()) {
        this.#tryWay({ variant, variantIndex, engine, engineIndex }, usable)
      }
    }
    this.#possible.sort((a, b) => a.seconds - b.seconds)
    return { possible: withoutDominated(this.#possible), refused: this.#refused }
  }

  #refuse(
    locals: readonly number[],
    blockers: readonly Blocker[],
    fit: RefusedSetup['fit'] = null,
  ): void {
    this.#refused.push({ locals, blockers, fit })
  }

  #usableDevices(): readonly DeviceKind[] {
    const { example: node, kinds } = this.#machineClass
    const against = (device: PlacementDevice) =>
      deviceChecks.flatMap((check) => check.refuse(this.#deployment, device, node) ?? [])
    const usable = kinds.filter(({ example, locals }) => {
      const blockers = against(example)
      if (blockers.length > 0) for (const local of locals) this.#refuse([local], blockers)
      return blockers.length === 0
    })
    for (const [local, device] of node.devices.entries()) {
      if (!device.device.schedulable) this.#refuse([local], against(device))
    }
    return usable
  }

  #tryWay(way: Way, usable: readonly DeviceKind[]): void {
    const { example: node } = this.#machineClass
    const blockers = wayChecks.flatMap((check) => check.refuse(this.#deployment, way, node) ?? [])
    if (blockers.length > 0) {
      // An engine that reads other files is no candidate that anybody would ask about.
      if (!blockers.some(({ check }) => check === 'format' || check === 'task')) {
        this.#refuse([], blockers)
      }
      return
    }
    const examples = usable.map(({ example }) => example)
    const built = backendsHere(this.#deployment, way.engine, examples)
    if (built.length === 0 && this.#deployment.constraints.backends === null) {
      this.#refuseUnbuilt(way, usable)
    }
    for (const backend of built) {
      const kinds = usable.filter(({ example }) =>
        backendsOfVendor[example.device.vendor].includes(backend),
      )
      this.#tryBackend(way, backend, kinds)
    }
  }

  /** It is built for none of these devices: what that is called, compatibility knows. */
  #refuseUnbuilt(way: Way, usable: readonly DeviceKind[]): void {
    for (const { example, locals } of usable) {
      const fit = this.#askFit({
        ...this.#questionOf(way),
        backend: backendsOfVendor[example.device.vendor][0] ?? 'cpu',
        kind: 'native',
        devices: [example],
        memory: [],
        speeds: [],
      })
      if (fit.kind === 'fits') continue
      // Installing it would not help.
      const blockers = fit.blockers.filter(({ check }) => check !== 'installed')
      this.#refuse([locals[0]!], blockers, fit)
    }
  }

  #questionOf({ variant, engine }: Way): Omit<FitQuestion, 'backend' | 'kind' | 'devices'> {
    const { memory, speeds } = this.#input.inventory
    return {
      ...{ deployment: this.#deployment, variant, engine, node: this.#machineClass.example },
      ...{ promisedBytes: {}, limits: noLimits, memory, speeds },
    }
  }

  /** Single devices first: where one is enough, more of them are not asked about. */
  #tryBackend(way: Way, backend: Backend, kinds: readonly DeviceKind[]): void {
    const fitting: (readonly number[])[] = []
    const tryOn = (set: DeviceSet) => {
      if (this.#tryDevices(way, backend, set)) fitting.push(set.locals)
    }
    for (const { locals } of kinds) {
      tryOn({ locals: [locals[0]!], alike: locals.map((local) => [local]) })
    }
    for (const set of deviceSets(way.engine, kinds)) {
      const isEnough = (fewer: readonly number[]) =>
        fewer.length < set.locals.length && fewer.every((local) => set.locals.includes(local))
      if (!fitting.some(isEnough)) tryOn(set)
    }
  }

  /** Whether it fits there, and no more devices would make it faster. */
  #tryDevices(way: Way, backend: Backend, { locals, alike }: DeviceSet): boolean {
    const { variant, variantIndex, engine, engineIndex } = way
    const devices = locals.map((local) => this.#machineClass.example.devices[local]!)
    const alikeKey = `${variantIndex} ${backend} ${engine.memory.kind} ${locals.join()}`
    if (this.#settled.has(alikeKey)) return true
    const tooLarge = weightsBlocker(variant, engine, this.#machineClass, devices)
    if (tooLarge !== null) {
      this.#refuse(locals, [tooLarge])
      return false
    }
    for (const kind of launchKinds(engine, backend, this.#machineClass)) {
      const question = { ...this.#questionOf(way), backend, kind, devices }
      const fit = this.#askFit(question)
      const against = againstFit(this.#deployment, fit).map((one) => withEngine(one, engine.id))
      if (fit.kind === 'no' || against.length > 0) {
        this.#refuse(locals, against, fit.kind === 'no' ? fit : null)
        // Started in another way it needs as much.
        if (against.every(({ check }) => check === 'memory')) return false
        continue
      }
      // One that needs something set does not speak for another, which may need nothing.
      if (!this.#machineClass.wasMeasured && fit.setting.settings.length === 0) {
        this.#settled.add(alikeKey)
      }
      const ranked = (one: Fits): RankQuestion => ({
        ...{ deployment: this.#deployment, variantIndex, engineIndex, devices, fit: one },
        capacityBytes: capacityOf(this.#machineClass, devices),
      })
      const ladder = new Ladder(fit, {
        ask: (limits) => this.#askWithChecks({ ...question, limits }),
        concededSeconds: (one) => concededSeconds(ranked(one)),
        limits: tighterLimits(fit, this.#deployment, engine),
      })
      const seconds = classSeconds(ranked(fit))
      for (const same of alike) {
        const indexes = { variantIndex, engineIndex }
        this.#possible.push({ ...indexes, locals: same, backend, kind, seconds, ladder })
      }
      // With all layers on more devices it is faster than with some of them on the CPU.
      return fit.setting.offload === null
    }
    return false
  }

  /** A lower rung may be slower than its target allows. */
  #askWithChecks(question: FitQuestion): Fit {
    const fit = this.#askFit(question)
    const blockers = againstFit(this.#deployment, fit)
    return blockers.length === 0 || fit.kind === 'no'
      ? fit
      : { kind: 'no', blockers, memory: fit.memory, suggestions: [] }
  }
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
    what: `${source} is ${memoryText(facts.tensorBytes)}, and ${on} ${devices.length === 1 ? 'holds' : 'hold'} ${memoryText(room)}`,
    unlockedBy: `${memoryText(shortBytes)} more, or a smaller variant`,
    short: [{ device: on, neededBytes: facts.tensorBytes, freeBytes: room, shortBytes }],
    excess: { of: on, ratio: facts.tensorBytes / Math.max(1, room) },
  }
}

/** What speaks against a fit, or against what fits. */
function againstFit(deployment: Deployment, fit: Fit): readonly Blocker[] {
  if (fit.kind === 'no') return fit.blockers
  return fitChecks.flatMap((check) => check.refuse(deployment, fit) ?? [])
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
