/**
 * How a wanted replica is started on this machine: on which devices, with which engine, by which
 * command. Pure: what is installed is asked through a function.
 */
import type { Device } from '#core/device.ts'
import type { Task } from '#core/task.ts'
import type { Engine } from '#engines/engine.ts'
import type { LaunchDevice, LaunchPlan } from '#engines/engine-launch.ts'
import type { Backend, OperatingSystem, WeightsFormat } from '#engines/engine-support.ts'
import type { ReplicaSpec } from '#protocol/agent-messages.ts'

export interface LaunchNeed {
  readonly spec: ReplicaSpec
  readonly task: Task
  readonly weights: {
    readonly format: WeightsFormat
    readonly path: string
    readonly root: string
  }
  readonly port: number
  readonly os: OperatingSystem
  readonly devices: readonly Device[]
  readonly ownProgram: { readonly command: string; readonly args: readonly string[] }
  /** Whether a program of this name, or at this path, is there. */
  readonly isInstalled: (command: string) => boolean
  readonly engines: readonly Engine[]
}

export interface ChosenLaunch {
  readonly engine: Engine
  readonly backend: Backend
  readonly plan: LaunchPlan
  /** What a person should hear about the choice. */
  readonly alarms: readonly string[]
}

/** Nothing on this machine can run it; the message says what was tried and what speaks against it. */
export class NoLaunchError extends Error {}

/** Backends of a vendor's devices, the one to prefer first. */
const backendsOf: Readonly<Record<Device['vendor'], readonly Backend[]>> = {
  nvidia: ['cuda', 'vulkan'],
  amd: ['rocm', 'vulkan'],
  apple: ['metal'],
  intel: ['level-zero', 'vulkan'],
  other: ['vulkan'],
  cpu: ['cpu'],
}

/** A context that most chats fit in, where nobody said how long. */
const contextTokensUsual = 8_192

const slotsUsual = 4

/** Throws {@link NoLaunchError}. */
export function chooseLaunch(need: LaunchNeed): ChosenLaunch {
  const reasons: string[] = []
  for (const { backend, devices } of placesOf(need)) {
    for (const engine of inOrder(need)) {
      const plan = planFor(need, engine, backend, devices)
      if (typeof plan === 'string') reasons.push(`${engine.title} on ${backend}: ${plan}`)
      else return { engine, backend, plan, alarms: alarmsOf(need, backend, reasons) }
    }
  }
  throw new NoLaunchError(
    reasons.length === 0
      ? 'no device of this machine may be used'
      : `nothing here can run it. ${reasons.join(' ')}`,
  )
}

interface Place {
  readonly backend: Backend
  readonly devices: readonly Device[]
}

/** GPUs before the CPU, the one with the most memory first. */
function placesOf({ spec, devices }: LaunchNeed): Place[] {
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
  const places = usable.flatMap((device) =>
    backendsOf[device.vendor].map((backend) => ({ backend, devices: [device] })),
  )
  return spec.backend === null ? places : places.filter(({ backend }) => backend === spec.backend)
}

/** The engine that is part of Motley last: it is always there, and slower on GPUs than others. */
function inOrder({ spec, engines }: LaunchNeed): readonly Engine[] {
  if (spec.engine !== null) return engines.filter(({ id }) => id === spec.engine)
  const startable = engines.filter(({ launch }) => launch !== null)
  const own = startable.filter(({ id }) => id === 'motley-embedded')
  return [...startable.filter(({ id }) => id !== 'motley-embedded'), ...own]
}

function planFor(
  need: LaunchNeed,
  engine: Engine,
  backend: Backend,
  devices: readonly Device[],
): LaunchPlan | string {
  const { spec } = need
  if (engine.launch === null) return 'somebody else starts it.'
  const plan = engine.launch({
    replicaId: spec.id,
    modelName: spec.model,
    task: need.task,
    weights: need.weights,
    host: '127.0.0.1',
    port: need.port,
    backend,
    devices: devices.map(launchDevice),
    contextTokens: spec.contextTokens ?? contextTokensUsual,
    slots: spec.slots ?? slotsUsual,
    memoryFraction: null,
    tensorParallel: 1,
    kind: spec.kind,
    executable: null,
    ownProgram: need.ownProgram,
    deviceGroupIds: [],
    cacheDirectory: null,
    allowsArchitectureOverride: true,
    extraArgs: spec.extraArguments,
    apiKey: null,
  })
  if (plan.kind === 'problem') return `${plan.message} ${plan.fix}`
  if (plan.container === null && !need.isInstalled(plan.command)) {
    return `there is no program "${plan.command}" on the PATH of the agent.`
  }
  return plan
}

function launchDevice({ index, uuid, busId, architecture, unifiedMemory }: Device): LaunchDevice {
  return { index: index ?? 0, uuid, busId, architecture, unifiedMemory: unifiedMemory ?? false }
}

/** A model on the CPU of a machine with a GPU is mostly an accident. */
function alarmsOf(
  { spec, devices }: LaunchNeed,
  backend: Backend,
  reasons: readonly string[],
): string[] {
  if (backend !== 'cpu' || spec.backend === 'cpu') return []
  const gpu = devices.find(({ vendor }) => vendor !== 'cpu')
  if (gpu === undefined) return []
  const why = gpu.schedulable ? (reasons[0] ?? '') : (gpu.reason ?? '')
  return [`It runs on the CPU although there is ${gpu.name}. ${why}`.trim().slice(0, 500)]
}
