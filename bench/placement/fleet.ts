/** Fleets for measuring placement: machines of the kinds people have, and what they run on them. */
import type { Deployment, Priority } from '#core/deployment.ts'
import type { PlacementNode } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import {
  cpu,
  deployment,
  nvidia,
  placementDevice,
  placementNode,
  planInput,
  variant,
} from '#testing/placement-input.ts'

/** The same numbers for the same seed, on every machine: a linear congruence modulo 2³². */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const amd = (gib: number, gigabytesPerSecond: number, number = 0) =>
  placementDevice(`amd-${number}`, 'amd', gib, gigabytesPerSecond)

/** By how often they come: desks and single GPUs most, eight-GPU servers least. */
const machines = [
  { weight: 4, devices: () => [nvidia(24), cpu(64)] },
  { weight: 2, devices: () => [nvidia(12), cpu(32)] },
  { weight: 2, devices: () => [nvidia(8), cpu(32)] },
  { weight: 2, devices: () => [nvidia(48, 0), nvidia(48, 1), cpu(256)] },
  { weight: 2, devices: () => [amd(24, 960), cpu(64)] },
  { weight: 2, devices: () => [placementDevice('apple-0', 'apple', 64, 400), cpu(64)] },
  { weight: 1, devices: () => [placementDevice('apple-0', 'apple', 128, 800), cpu(128)] },
  { weight: 2, devices: () => [cpu(64)] },
  {
    weight: 1,
    devices: () => Array.from({ length: 4 }, (_, at) => nvidia(80, at)).concat(cpu(512)),
  },
  {
    weight: 1,
    devices: () => Array.from({ length: 8 }, (_, at) => amd(192, 5_300, at)).concat(cpu(1_024)),
  },
]

/** GiB of weights: embedding and speech, 8 to 14 billion, 32, 70, and mixtures beyond. */
const sizes = [1, 2, 5, 9, 18, 40, 120]
const priorities: readonly Priority[] = ['low', 'normal', 'normal', 'high', 'critical']

export interface FleetSize {
  readonly nodes: number
  readonly deployments: number
  readonly seed: number
  /** Of all replicas that the fleet has room for, roughly: above 1 some have no place. */
  readonly replicasEach?: readonly number[]
}

export function benchFleet({
  nodes,
  deployments,
  seed,
  replicasEach = [1, 1, 2, 3],
}: FleetSize): PlanInput {
  const chance = chanceOf(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)]!
  const weighted = machines.flatMap((machine) =>
    Array.from({ length: machine.weight }, () => machine),
  )
  const wishes = Array.from({ length: deployments }, (_, index) =>
    benchDeployment(index, chance, pick(replicasEach)),
  )
  const places: PlacementNode[] = Array.from({ length: nodes }, (_, index) => {
    const held = Array.from({ length: 3 }, () => pick(wishes).variants[0]!.source)
    return placementNode(`node-${String(index).padStart(5, '0')}`, pick(weighted).devices(), {
      labels: { room: pick(['rack', 'desk', 'lab']) },
      taints: chance() < 0.05 ? [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }] : [],
      draining: chance() < 0.01,
      presence: chance() < 0.01 ? 'suspect' : 'ready',
      weights: held,
      networkBytesPerSecond: pick([125e6, 1.25e9]),
    })
  })
  return planInput(places, wishes)
}

function benchDeployment(index: number, chance: () => number, min: number): Deployment {
  const gib = sizes[Math.floor(chance() ** 1.5 * sizes.length)]!
  const name = `d${String(index).padStart(4, '0')}`
  const model = `model-${gib}-${Math.floor(chance() * 6)}`
  const gguf = variant(`hf:bench/${model}-gguf`, gib)
  const safetensors = variant(`hf:bench/${model}`, gib * 1.6, { format: 'safetensors' })
  const kind = chance()
  return deployment(name, gib, {
    model,
    task: gib <= 2 ? 'embedding' : 'chat',
    variants: kind < 0.5 ? [safetensors, gguf] : kind < 0.75 ? [gguf] : [safetensors],
    replicas: { min, max: min + 1 },
    contextTokens: chance() < 0.3 ? 8_192 : null,
    priority: priorities[Math.floor(chance() * priorities.length)]!,
    share: gib <= 5 && chance() < 0.7,
    targets: chance() < 0.3 ? { tpotMs: 100, bestEffort: true } : {},
    constraints: {
      backends: chance() < 0.1 ? ['cuda'] : null,
      labels: chance() < 0.1 ? { room: 'rack' } : {},
      awayFrom: chance() < 0.1 ? [name] : [],
    },
  })
}
