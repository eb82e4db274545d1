/**
 * How a wanted replica is started on this machine: on which devices, with which engine, by which
 * command. Pure: what is installed is asked through a function.
 */

import { notInItText, tooOldText, wrongBuildText } from '#agent/launch-objections.ts'
import type { Device } from '#core/device.ts'
import { deviceIds } from '#core/device-ids.ts'
import {
  type Backend,
  backendsOfVendor,
  type OperatingSystem,
  type WeightsFormat,
} from '#core/engine-build.ts'
import { contextTokensUsual, slotsUsual } from '#core/usual-room.ts'
import type { Engine } from '#engines/engine.ts'
import type { LaunchDevice, LaunchPlan, LaunchRequest } from '#engines/engine-launch.ts'
import type { ReplicaSpec, ReportedEngine } from '#protocol/agent-messages.ts'

export interface LaunchNeed {
  readonly spec: ReplicaSpec
  readonly weights: {
    readonly format: WeightsFormat
    readonly path: string
    readonly root: string
    readonly outside?: readonly string[]
  }
  readonly port: number
  readonly os: OperatingSystem
  readonly devices: readonly Device[]
  readonly ownProgram: OwnProgram
  /** Where a program of this name, or at this path, is; null where it is not. */
  readonly findProgram: (command: string) => string | null
  /** What the programs of engines say of themselves; empty before anybody has asked. */
  readonly installed: readonly ReportedEngine[]
  /** Of the groups that own the files of GPUs here. */
  readonly deviceGroupIds: readonly number[]
  /** For what engines compile. */
  readonly cacheDirectory: string
  readonly engines: readonly Engine[]
}

/** How the engine that is part of Motley is started. */
export interface OwnProgram {
  readonly command: string
  readonly args: readonly string[]
  /** Backends that it has builds for here, with the arguments that each needs. */
  readonly backends: Readonly<Partial<Record<Backend, readonly string[]>>>
}

export interface ChosenLaunch {
  readonly engine: Engine
  readonly backend: Backend
  readonly plan: LaunchPlan
  readonly devices: readonly Device[]
  readonly contextTokens: number
  readonly slots: number
  /** What a person should hear about the choice. */
  readonly alarms: readonly string[]
}

/** Nothing on this machine can run it; the message says what was tried and what speaks against it. */
export class NoLaunchError extends Error {}

const ownEngine = 'motley-embedded'

/** Throws {@link NoLaunchError}. */
export function chooseLaunch(need: LaunchNeed): ChosenLaunch {
  const reasons: Reason[] = []
  const places = placesOf(need)
  const candidates = inOrder(need)
  for (const { backend, devices } of places) {
    for (const engine of candidates) {
      const plan = planFor(need, engine, backend, devices)
      if ('text' in plan) {
        reasons.push({ ...plan, text: `${engine.title} on ${backend}: ${plan.text}` })
      } else {
        const alarms = alarmsOf(need, backend, reasons)
        return { engine, backend, plan, devices, ...roomOf(need), alarms }
      }
    }
  }
  throw new NoLaunchError(reasonText(need, places, candidates, reasons))
}

/** Why one engine does not run on one backend. */
interface Reason {
  readonly text: string
  /** Whether it would run if somebody installed it: that is worth more than what never can be. */
  readonly isInstallable: boolean
}

function reasonText(
  { spec, devices, engines }: LaunchNeed,
  places: readonly Place[],
  candidates: readonly Engine[],
  reasons: readonly Reason[],
): string {
  if (candidates.length === 0) {
    const there = engines.filter(({ launch }) => launch !== null).map(({ id }) => id)
    return `there is no engine "${spec.engine}"; there is ${there.join(', ')}`
  }
  if (places.length === 0) {
    const there = devices
      .map(({ name, schedulable, reason }) => (schedulable ? name : `${name} (${reason})`))
      .join(', ')
    const on = spec.backend === null ? '' : ` for ${spec.backend}`
    return `no device of this machine may be used${on}; it has ${there || 'none'}`
  }
  // Where somebody can mend it, all that never could is only noise.
  const installable = reasons.filter(({ isInstallable }) => isInstallable)
  const told = installable.length > 0 ? installable : reasons
  const shown = told.slice(0, reasonsShown).map(({ text }) => text)
  const more = told.length - shown.length
  const others = more <= 0 ? '' : ` (and ${more} more that do not suit it)`
  return `nothing here can run it. ${shown.join(' ')}${others}`
}

/** Nobody reads fourteen of them. */
const reasonsShown = 4

interface Place {
  readonly backend: Backend
  readonly devices: readonly Device[]
}

/** What placement chose; else GPUs before the CPU, the one with the most memory first. */
function placesOf({ spec, devices }: LaunchNeed): Place[] {
  if (spec.devices !== undefined) return chosenPlaces(spec.devices, spec.backend, devices)
  const wanted = spec.deviceIndexes
  const usable = devices
    .filter(({ schedulable }) => schedulable)
    .filter(
      ({ index, vendor }) => wanted === null || vendor === 'cpu' || wanted.includes(index ?? -1),
    )
    .toSorted(
      (one, other) =>
        Number(one.vendor === 'cpu') - Number(other.vendor === 'cpu') ||
        (other.memoryBytes ?? 0) - (one.memoryBytes ?? 0),
    )
  const together = Map.groupBy(usable, ({ vendor }) => vendor)
  const groups = usable.flatMap((device) => {
    // Several that were asked for by their numbers are meant to be used together.
    if (wanted === null || device.vendor === 'cpu') return [[device]]
    const group = together.get(device.vendor) ?? []
    return group[0] === device ? [group] : []
  })
  const places = groups.flatMap((group) =>
    backendsOfVendor[group[0]?.vendor ?? 'other'].map((backend) => ({ backend, devices: group })),
  )
  return spec.backend === null ? places : places.filter(({ backend }) => backend === spec.backend)
}

/** All of them together, or nothing: one of two would hold half of the model. */
function chosenPlaces(
  wanted: readonly string[],
  backend: string | null,
  devices: readonly Device[],
): Place[] {
  const ids = deviceIds(devices)
  const chosen = devices.filter((_device, index) => wanted.includes(ids[index] ?? ''))
  const [first] = chosen
  if (first === undefined || chosen.length < wanted.length) return []
  return backendsOfVendor[first.vendor]
    .filter((one) => backend === null || one === backend)
    .map((one) => ({ backend: one, devices: chosen }))
}

/** The engine that is part of Motley last: it is always there, and slower on GPUs than others. */
function inOrder({ spec, engines }: LaunchNeed): readonly Engine[] {
  if (spec.engine !== null) return engines.filter(({ id }) => id === spec.engine)
  const startable = engines.filter(({ launch }) => launch !== null)
  const own = startable.filter(({ id }) => id === ownEngine)
  return [...startable.filter(({ id }) => id !== ownEngine), ...own]
}

function planFor(
  need: LaunchNeed,
  engine: Engine,
  backend: Backend,
  devices: readonly Device[],
): LaunchPlan | Reason {
  const { spec, ownProgram } = need
  if (engine.launch === null) return { text: 'somebody else starts it.', isInstallable: false }
  const ownArgs = ownProgram.backends[backend]
  const request: LaunchRequest = {
    replicaId: spec.id,
    modelName: spec.model,
    task: spec.task ?? 'chat',
    weights: need.weights,
    host: '127.0.0.1',
    port: need.port,
    backend,
    devices: devices.map(launchDevice),
    ...roomOf(need),
    memoryFraction: spec.memoryFraction ?? null,
    kvCacheType: spec.kvCacheType ?? null,
    offload: spec.offload ?? null,
    tensorParallel: engine.spread === 'tensor-parallel' ? devices.length : 1,
    kind: spec.kind,
    executable: null,
    ownProgram: {
      command: ownProgram.command,
      args: [...ownProgram.args, ...(ownArgs ?? [])],
    },
    deviceGroupIds: need.deviceGroupIds,
    // Engines in containers are another user: what they write, native ones could not replace.
    cacheDirectory: `${need.cacheDirectory}/${spec.kind}`,
    // A wrong one hangs: only where somebody, or a plan, wants this very backend.
    allowsArchitectureOverride: spec.backend !== null,
    extraArgs: spec.extraArguments,
    apiKey: null,
  }
  const plan = engine.launch(request)
  if (plan.kind === 'problem') {
    return { text: `${plan.message} ${plan.fix}`, isInstallable: false }
  }
  const tooOld = tooOldText(need, engine, backend, devices)
  if (tooOld !== null) return { text: tooOld, isInstallable: true }
  if (engine.id === ownEngine) {
    if (ownArgs !== undefined) return plan
    const text = 'it has no such build here: "motley engine install" gets it.'
    return { text, isInstallable: true }
  }
  if (plan.container !== null) return plan
  const executable = need.findProgram(plan.command)
  if (executable === null) {
    const text = `there is no program "${plan.command}" on the PATH of the agent.`
    return { text, isInstallable: true }
  }
  const against = notInItText(need, engine, plan.command) ?? wrongBuildText(need, engine, backend)
  if (against !== null) return { text: against, isInstallable: true }
  const found = engine.launch({ ...request, executable })
  return found.kind === 'plan' ? found : plan
}

function roomOf({ spec }: LaunchNeed): { contextTokens: number; slots: number } {
  return {
    contextTokens: spec.contextTokens ?? contextTokensUsual,
    slots: spec.slots ?? slotsUsual,
  }
}

function launchDevice({ index, uuid, busId, architecture, unifiedMemory }: Device): LaunchDevice {
  return { index: index ?? 0, uuid, busId, architecture, unifiedMemory: unifiedMemory ?? false }
}

/** A model on the CPU of a machine with a GPU is mostly an accident. */
function alarmsOf(
  { spec, devices }: LaunchNeed,
  backend: Backend,
  reasons: readonly Reason[],
): string[] {
  if (backend !== 'cpu' || spec.backend === 'cpu') return []
  const gpu = devices.find(({ vendor }) => vendor !== 'cpu')
  if (gpu === undefined) return []
  const reason = reasons.find(({ isInstallable }) => isInstallable) ?? reasons[0]
  const why = gpu.schedulable ? (reason?.text ?? '') : (gpu.reason ?? '')
  return [`It runs on the CPU although there is ${gpu.name}. ${why}`.trim().slice(0, 500)]
}
