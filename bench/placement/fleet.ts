/** Fleets for measuring placement: machines that people have, and what they run on them. */
import type { Deployment, ModelVariant, Priority } from '#core/deployment.ts'
import { deviceIds } from '#core/device-ids.ts'
import { engineCatalog } from '#engines/index.ts'
import { namedDevices } from '#hardware/probe-named-device.ts'
import type { PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import type { PlanInput } from '#placement/plan.ts'
import { deployment, placementNode, planInput } from '#testing/placement-input.ts'
import { catalogModel } from '#weights/catalog/model-catalog.ts'

/** The same numbers for the same seed, on every machine: a linear congruence modulo 2³². */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** By how often they come: desks and single GPUs most, servers of eight least. */
const machines = [
  { weight: 4, os: 'linux', devices: ['rtx-4090', 'ryzen-7950x 64GiB'] },
  { weight: 2, os: 'linux', devices: ['rtx-3090', 'ryzen-7950x 64GiB'] },
  { weight: 2, os: 'linux', devices: ['rtx-2070', 'ryzen-7950x 32GiB'] },
  { weight: 2, os: 'linux', devices: ['2 x rtx-6000-ada', 'epyc-9334 256GiB'] },
  { weight: 2, os: 'linux', devices: ['rx-7900-xtx', 'ryzen-7950x 64GiB'] },
  { weight: 2, os: 'macos', devices: ['m2-ultra-76 128GiB', 'm2-max-cpu 128GiB'] },
  { weight: 1, os: 'macos', devices: ['m3-max-40 64GiB', 'm2-max-cpu 64GiB'] },
  { weight: 2, os: 'linux', devices: ['epyc-9554 128GiB'] },
  { weight: 1, os: 'linux', devices: ['4 x a100-sxm-80', 'epyc-9554 512GiB'] },
  { weight: 1, os: 'linux', devices: ['8 x mi300x', 'epyc-9554 1024GiB'] },
] as const

const models = [
  'bge-m3',
  'whisper-large-v3-turbo',
  'bge-reranker-v2-m3',
  'llama-3.2-3b',
  'llama-3.1-8b',
  'qwen3-8b',
  'mistral-small-3.1-24b',
  'qwen3-30b-a3b',
  'qwen3-32b',
  'gpt-oss-20b',
  'llama-3.1-70b',
  'gpt-oss-120b',
]
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
  const weighted = machines.flatMap((machine) => Array(machine.weight).fill(machine))
  const wishes = Array.from({ length: deployments }, (_, index) =>
    benchDeployment(index, chance, pick(replicasEach)),
  )
  const places: PlacementNode[] = Array.from({ length: nodes }, (_, index) => {
    const machine: (typeof machines)[number] = pick(weighted)
    return placementNode(`node-${String(index).padStart(5, '0')}`, devicesOf(machine.devices), {
      os: machine.os,
      labels: { room: pick(['rack', 'desk', 'lab']) },
      taints: chance() < 0.05 ? [{ key: 'dedicated', value: 'x', effect: 'NoSchedule' }] : [],
      draining: chance() < 0.01,
      presence: chance() < 0.01 ? 'suspect' : 'ready',
      weights: Array.from({ length: 3 }, () => pick(wishes).variants[0]!.source),
      freeDiskBytes: pick([200e9, 2e12]),
      networkBytesPerSecond: pick([125e6, 1.25e9]),
    })
  })
  return { ...planInput(places, wishes), engines: engineCatalog }
}

function devicesOf(names: readonly string[]): PlacementDevice[] {
  const devices = names.flatMap((name) => {
    const named = namedDevices(name)
    if (named.kind === 'none') throw new Error(`${name}: ${named.because}`)
    return named.devices
  })
  const ids = deviceIds(devices)
  return devices.map((device, at) => ({ id: ids[at]!, device, foreignBytes: 0 }))
}

function benchDeployment(index: number, chance: () => number, min: number): Deployment {
  const name = `d${String(index).padStart(4, '0')}`
  const model = catalogModel(models[Math.floor(chance() ** 1.3 * models.length)]!)!
  const all = model.variants
  // What a user would write down: one for vLLM, one that runs everywhere.
  const one = (format: string, quantization: RegExp) =>
    all.find((each) => each.format === format && quantization.test(each.facts?.quantization ?? ''))
  const variants = [
    one('safetensors', /awq|fp8|mxfp4/) ?? one('safetensors', /./),
    one('gguf', /Q4_K_M|MXFP4|Q8_0/) ?? one('ggml', /./),
  ].filter((each): each is ModelVariant => each !== undefined)
  const gibibytes = (variants[0]!.facts?.tensorBytes ?? 0) / 2 ** 30
  const kind = chance()
  return deployment(name, gibibytes, {
    model: model.name,
    task: model.tasks[0]!,
    variants: kind < 0.7 || variants.length === 1 ? variants : [variants[kind < 0.85 ? 1 : 0]!],
    replicas: { min, max: min + 1 },
    contextTokens: model.tasks[0] === 'chat' && chance() < 0.3 ? 8_192 : null,
    priority: priorities[Math.floor(chance() * priorities.length)]!,
    share: gibibytes <= 5 && chance() < 0.7,
    targets: chance() < 0.3 ? { tpotMs: 100, bestEffort: true } : {},
    constraints: {
      backends: chance() < 0.1 ? ['cuda'] : null,
      labels: chance() < 0.1 ? { room: 'rack' } : {},
      awayFrom: chance() < 0.1 ? [name] : [],
    },
  })
}
