/** Facts about engines on hardware, as questions to the solver with the data of the adapters. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Capability,
  type Compatibility,
  compatibilityChecks,
  findingCodes,
} from '#core/compatibility.ts'
import type { Device } from '#core/device.ts'
import type { Backend, LaunchKind, Support } from '#core/engine-build.ts'
import { type EngineId, engineIds } from '#core/engine-id.ts'
import { engineCatalog } from '#engines/index.ts'
import type { CompatibilityQuestion } from '#placement/compatibility/question.ts'
import { compatibleWays, solveCompatibility } from '#placement/compatibility/solve-compatibility.ts'
import {
  amd,
  apple,
  cpu,
  engineNamed,
  intel,
  modelInFormat,
  nvidia,
  questionAbout,
} from './compatibility-question.ts'

/** `runs`, `runs with …`, `runs; code` for what is worse or unknown, `blocked: code`. */
function verdict(compatibility: Compatibility): string {
  if (compatibility.kind === 'blocked') return `blocked: ${compatibility.findings[0]?.code}`
  const settings = compatibility.settings.map(({ set }) => set)
  const codes = [...new Set(compatibility.notes.map(({ code }) => code))]
  return [
    settings.length === 0 ? 'runs' : `runs with ${settings.join(', ')}`,
    ...codes.map((code) => `; ${code}`),
  ].join('')
}

function unlock(compatibility: Compatibility): string | null {
  return compatibility.kind === 'blocked' ? (compatibility.findings[0]?.unlockedBy ?? null) : null
}

const solve = (parts: Parameters<typeof questionAbout>[0]): Compatibility =>
  solveCompatibility(questionAbout(parts))

describe('drivers', () => {
  test.each<[EngineId, LaunchKind, string, string, string]>([
    ['llama-server', 'native', 'sm_89', '525.60.13', 'runs'],
    ['llama-server', 'native', 'sm_89', '520.61.05', 'blocked: driver-too-old'],
    ['vllm', 'native', 'sm_89', '550.54.14', 'runs'],
    ['vllm', 'container', 'sm_89', '550.54.14', 'blocked: driver-too-old'],
    ['vllm', 'container', 'sm_89', '580.65.06', 'runs'],
    ['vllm', 'container', 'sm_89', '595.71.05', 'runs'],
    ['vllm', 'native', 'sm_120', '565.57.01', 'blocked: driver-too-old'],
    ['vllm', 'native', 'sm_120', '570.86.10', 'runs'],
    ['tei', 'native', 'sm_80', '530.30.02', 'blocked: driver-too-old'],
    ['tei', 'native', 'sm_80', '535.54.03', 'runs'],
    ['ollama', 'native', 'sm_61', '550.54.14', 'blocked: driver-too-old'],
    ['ollama', 'native', 'sm_61', '570.86.10', 'runs'],
    ['ollama', 'native', 'sm_75', '550.54.14', 'runs'],
  ])('%s as %s on %s with driver %s: %s', (id, kind, architecture, driverVersion, expected) => {
    const devices = [nvidia({ architecture, driverVersion })]
    expect(verdict(solve({ engine: id, kind, devices }))).toBe(expected)
  })

  test('Windows counts its drivers in its own way', () => {
    const on = (driverVersion: string) =>
      verdict(
        solve({
          engine: 'llama-server',
          devices: [nvidia({ driverVersion })],
          node: { os: 'windows' },
        }),
      )
    expect(on('527.41')).toBe('blocked: driver-too-old')
    expect(on('528.33')).toBe('runs')
  })

  test('a driver that is too old for an image names the driver, and the build that runs', () => {
    const refused = solve({
      engine: 'vllm',
      kind: 'container',
      devices: [nvidia({ driverVersion: '550.54.14' })],
    })
    expect(unlock(refused)).toBe(
      'upgrade the driver to 580.65.06 or newer or start it as a native program',
    )
  })

  test('without a driver version the CUDA that it runs decides', () => {
    const on = (cuda: string) =>
      verdict(
        solve({
          engine: 'vllm',
          kind: 'container',
          devices: [nvidia({ driverVersion: null, runtimes: { cuda } })],
        }),
      )
    expect(on('12.8')).toBe('blocked: runtime-mismatch')
    expect(on('13.0')).toBe('runs; not-verified')
  })
})

describe('architectures', () => {
  test.each<[EngineId, Device, string]>([
    ['vllm', nvidia({ architecture: 'sm_61' }), 'blocked: architecture-unsupported'],
    ['vllm', nvidia({ architecture: 'sm_70' }), 'blocked: architecture-unsupported'],
    ['vllm', nvidia({ architecture: 'sm_75' }), 'runs'],
    ['sglang', nvidia({ architecture: 'sm_75' }), 'blocked: architecture-unsupported'],
    ['tensorrt-llm', nvidia({ architecture: 'sm_75' }), 'blocked: architecture-unsupported'],
    ['llama-server', nvidia({ architecture: 'sm_52' }), 'runs'],
    ['llama-server', nvidia({ architecture: 'sm_70' }), 'runs'],
    ['tei', nvidia({ architecture: 'sm_70' }), 'blocked: architecture-unsupported'],
    ['tei', nvidia({ architecture: 'sm_75' }), 'runs; architecture-limited'],
    ['xtts', nvidia({ architecture: 'sm_90' }), 'runs'],
    ['xtts', nvidia({ architecture: 'sm_120' }), 'blocked: architecture-unsupported'],
    ['speaches', nvidia({ architecture: 'sm_60' }), 'blocked: architecture-unsupported'],
    ['speaches', nvidia({ architecture: 'sm_61' }), 'runs'],
    ['vllm', amd({ architecture: 'gfx90a' }), 'runs'],
    ['vllm', amd({ architecture: 'gfx908' }), 'blocked: architecture-unsupported'],
    ['vllm', amd({ architecture: 'gfx1030' }), 'blocked: architecture-unsupported'],
    ['sglang', amd({ architecture: 'gfx942' }), 'runs'],
    ['sglang', amd({ architecture: 'gfx1100' }), 'blocked: architecture-unsupported'],
    ['llama-server', amd({ architecture: 'gfx908' }), 'runs'],
    ['llama-server', amd({ architecture: 'gfx803' }), 'blocked: architecture-unsupported'],
    ['llama-server', apple({ architecture: 'apple7' }), 'runs'],
    ['mlx-lm', apple({ architecture: 'apple7' }), 'runs'],
    ['openvino', intel({ architecture: 'xe-lpg' }), 'runs'],
  ])('%s on %o: %s', (engine, device, expected) => {
    const kind = engine === 'xtts' || engine === 'sglang' ? 'container' : 'native'
    expect(verdict(solve({ engine, kind, devices: [device] }))).toBe(expected)
  })

  test.each([
    ['gfx1031', '10.3.0'],
    ['gfx1035', '10.3.0'],
    ['gfx1103', '11.0.0'],
    ['gfx1152', '11.5.1'],
  ])('llama.cpp runs on %s as %s', (architecture, value) => {
    const solved = solve({ engine: 'llama-server', devices: [amd({ architecture })] })
    expect(verdict(solved)).toBe(`runs with HSA_OVERRIDE_GFX_VERSION=${value}`)
  })

  test('a build that needs no such setting is preferred to one that does', () => {
    const [first] = compatibleWays(
      questionAbout({ engine: 'llama-server', devices: [amd({ architecture: 'gfx1035' })] }),
    )
    expect(first?.backend).toBe('vulkan')
  })

  test('one override cannot serve a GPU that needs none beside it', () => {
    const solved = solve({
      engine: 'llama-server',
      devices: [amd({ architecture: 'gfx1035' }), amd({ architecture: 'gfx1100', index: 1 })],
    })
    expect(verdict(solved)).toBe('blocked: relative-conflict')
  })

  test('an older release runs what the newest dropped, where it is the one that is there', () => {
    const v100 = nvidia({ architecture: 'sm_70' })
    const engines = [installed('vllm', '0.10.2')]
    expect(verdict(solve({ engine: 'vllm', devices: [v100], node: { engines } }))).toBe('runs')
    expect(unlock(solve({ engine: 'vllm', devices: [v100] }))).toBe(
      'take vLLM before 0.11 or devices of sm_75 and newer',
    )
  })

  test.each([
    ['gfx950', '6.4', 'blocked: runtime-mismatch'],
    ['gfx950', '7.0', 'runs'],
    ['gfx1151', '7.0.0', 'blocked: runtime-mismatch'],
    ['gfx1151', '7.0.2', 'runs'],
    ['gfx942', '6.2', 'blocked: runtime-mismatch'],
    ['gfx942', '6.3', 'runs'],
  ])('vLLM on %s with ROCm %s: %s', (architecture, rocm, expected) => {
    const devices = [amd({ architecture, runtimes: { rocm } })]
    expect(verdict(solve({ engine: 'vllm', devices }))).toBe(expected)
  })
})

describe('quantizations', () => {
  test.each<[string, Device, string]>([
    ['bf16', nvidia({ architecture: 'sm_80' }), 'runs'],
    ['bf16', nvidia({ architecture: 'sm_75' }), 'runs with --dtype half'],
    ['f16', nvidia({ architecture: 'sm_75' }), 'runs'],
    ['fp8', nvidia({ architecture: 'sm_89' }), 'runs'],
    ['fp8', nvidia({ architecture: 'sm_86' }), 'runs; kernel-degraded'],
    ['fp8', nvidia({ architecture: 'sm_75' }), 'runs; kernel-degraded'],
    ['fp8', amd({ architecture: 'gfx942' }), 'runs'],
    ['fp8', amd({ architecture: 'gfx1201' }), 'runs'],
    ['fp8', amd({ architecture: 'gfx90a' }), 'blocked: kernel-mismatch'],
    ['fp8', intel({}), 'runs; kernel-degraded'],
    ['awq 4-bit', nvidia({ architecture: 'sm_80' }), 'runs'],
    ['awq 4-bit', nvidia({ architecture: 'sm_75' }), 'runs; kernel-degraded'],
    ['awq 4-bit', amd({ architecture: 'gfx942' }), 'runs; kernel-degraded'],
    ['awq 4-bit', intel({}), 'runs'],
    ['awq 4-bit', cpu({}), 'runs'],
    ['awq 4-bit', cpu({ architecture: 'aarch64', features: ['neon'] }), 'blocked: kernel-mismatch'],
    ['gptq 4-bit', nvidia({ architecture: 'sm_75' }), 'runs'],
    ['int8', nvidia({ architecture: 'sm_75' }), 'runs'],
    ['int8', amd({}), 'blocked: kernel-mismatch'],
    ['bitsandbytes 4-bit', nvidia({}), 'runs with pip install vllm-bnb-plugin'],
    ['bitsandbytes 4-bit', amd({}), 'blocked: kernel-mismatch'],
    ['mxfp4', nvidia({ architecture: 'sm_80' }), 'runs'],
    ['mxfp4', nvidia({ architecture: 'sm_75' }), 'blocked: kernel-mismatch'],
    ['mxfp4', amd({ architecture: 'gfx950' }), 'runs'],
    ['mxfp4', amd({ architecture: 'gfx942' }), 'runs; kernel-degraded'],
    ['mxfp4', amd({ architecture: 'gfx1100' }), 'blocked: kernel-mismatch'],
    ['nvfp4', nvidia({ architecture: 'sm_120' }), 'runs'],
    ['nvfp4', nvidia({ architecture: 'sm_89' }), 'runs; kernel-degraded'],
    ['nvfp4', nvidia({ architecture: 'sm_75' }), 'blocked: kernel-mismatch'],
    ['nvfp4', amd({}), 'blocked: kernel-mismatch'],
    ['exl2', nvidia({}), 'blocked: kernel-mismatch'],
    ['compressed-tensors', nvidia({}), 'runs; not-verified'],
  ])('vLLM with %s on %o: %s', (quantization, device, expected) => {
    const kind = device.vendor === 'intel' ? 'container' : 'native'
    const model = modelInFormat('safetensors', quantization)
    expect(verdict(solve({ engine: 'vllm', kind, devices: [device], model }))).toBe(expected)
  })

  test('a kernel that is missing names what has it, and what to take instead', () => {
    const model = modelInFormat('safetensors', 'mxfp4')
    const devices = [nvidia({ architecture: 'sm_75' })]
    const solved = solve({ engine: 'vllm', devices, model })
    expect(solved.kind === 'blocked' && solved.findings[0]?.what).toBe(
      'vLLM has no kernels for MXFP4 on sm_75: it needs sm_80 and newer',
    )
    expect(unlock(solved)).toMatch(/^take the model as GGUF/)
  })

  test.each<[Device, string]>([
    [nvidia({ architecture: 'sm_52' }), 'runs'],
    [amd({ architecture: 'gfx908' }), 'runs'],
    [apple({}), 'runs'],
    [intel({}), 'runs'],
    [cpu({}), 'runs'],
  ])('llama.cpp runs GGUF on %o: %s', (device, expected) => {
    const model = modelInFormat('gguf', 'Q4_K_M')
    expect(verdict(solve({ engine: 'llama-server', devices: [device], model }))).toBe(expected)
  })

  test.each<[string[], string]>([
    [['avx2', 'avx512f', 'avx512_bf16'], 'runs'],
    [['avx2', 'avx512f'], 'runs; kernel-degraded'],
    [['avx2'], 'runs; kernel-degraded; architecture-limited'],
    [['sse4_2'], 'blocked: cpu-feature-missing'],
    [[], 'runs; not-verified'],
  ])('vLLM in BF16 on a CPU with %j: %s', (features, expected) => {
    const model = modelInFormat('safetensors', 'bf16')
    const devices = [cpu({ features })]
    expect(verdict(solve({ engine: 'vllm', devices, model }))).toBe(expected)
  })
})

describe('attention', () => {
  test.each<[Capability, EngineId, Device, string]>([
    ['flash-attention-2', 'vllm', nvidia({ architecture: 'sm_80' }), 'runs'],
    ['flash-attention-2', 'vllm', nvidia({ architecture: 'sm_75' }), 'blocked: kernel-mismatch'],
    ['flash-attention-3', 'vllm', nvidia({ architecture: 'sm_90' }), 'runs'],
    ['flash-attention-3', 'vllm', nvidia({ architecture: 'sm_100' }), 'blocked: kernel-mismatch'],
    ['flashinfer', 'vllm', nvidia({ architecture: 'sm_75' }), 'runs; kernel-degraded'],
    ['triton-attention', 'vllm', amd({}), 'runs'],
    ['aiter', 'vllm', amd({ architecture: 'gfx942' }), 'runs'],
    ['aiter', 'vllm', amd({ architecture: 'gfx1100' }), 'blocked: kernel-mismatch'],
    ['flash-attention', 'llama-server', nvidia({ architecture: 'sm_61' }), 'runs; kernel-degraded'],
    ['flash-attention', 'llama-server', apple({}), 'runs'],
  ])('%s in %s on %o: %s', (feature, engine, device, expected) => {
    const solved = solve({ engine, devices: [device], features: [feature] })
    expect(verdict(solved)).toBe(expected)
  })
})

describe('what a platform wants caught by name', () => {
  test('kernels that only one vendor has, placed elsewhere', () => {
    const model = modelInFormat('safetensors', 'bitsandbytes 4-bit')
    const solved = solve({ engine: 'vllm', devices: [amd({})], model })
    expect(verdict(solved)).toBe('blocked: kernel-mismatch')
  })

  test('an engine for CUDA alone, placed elsewhere', () => {
    const solved = solve({ engine: 'tensorrt-llm', devices: [amd({})] })
    expect(verdict(solved)).toBe('blocked: cuda-assumption')
  })

  test('an engine for CUDA that would fall to the CPU beside another GPU', () => {
    const gpu = amd({})
    const devices = [cpu({})]
    const solved = solve({ engine: 'speaches', devices, node: { devices: [gpu, ...devices] } })
    expect(verdict(solved)).toBe('runs; cuda-assumption')
  })

  test('answers that must come fast, on a device that cannot read the weights as fast', () => {
    const model = modelInFormat('gguf', 'Q4_K_M')
    const targets = { bestEffort: true, ttftMs: null, tpotMs: 60 }
    const slow = cpu({ memoryBandwidthBytesPerSecond: 50e9 })
    const fast = nvidia({ memoryBandwidthBytesPerSecond: 1_008e9 })
    const on = (device: Device) =>
      verdict(solve({ engine: 'llama-server', devices: [device], model, targets }))
    expect(on(slow)).toBe('runs; latency-on-throughput')
    expect(on(fast)).toBe('runs')
  })

  test('answers that must come fast, by a build that computes in large steps', () => {
    const targets = { bestEffort: true, ttftMs: null, tpotMs: 60 }
    expect(verdict(solve({ engine: 'vllm', devices: [cpu({})], targets }))).toBe(
      'runs; latency-on-throughput',
    )
  })
})

describe('several devices', () => {
  const two = (make: (parts: Partial<Device>) => Device, parts: Partial<Device> = {}) => [
    make({ index: 0, ...parts }),
    make({ index: 1, ...parts }),
  ]

  test('are never of two vendors', () => {
    const devices = [nvidia({ index: 0 }), amd({ index: 0 })]
    expect(verdict(solve({ engine: 'llama-server', devices, backend: 'vulkan' }))).toBe(
      'blocked: vendors-mixed',
    )
  })

  test('have to be alike for tensor parallelism, and not for layers in turn', () => {
    const devices = [nvidia({ index: 0 }), nvidia({ index: 1, architecture: 'sm_86' })]
    expect(verdict(solve({ engine: 'vllm', devices }))).toBe('blocked: devices-differ')
    expect(verdict(solve({ engine: 'llama-server', devices }))).toBe('runs')
  })

  test('are one for engines that use one', () => {
    expect(verdict(solve({ engine: 'tei', devices: two(nvidia) }))).toBe('blocked: single-device')
  })

  test('are no two slices of a divided one', () => {
    const devices = two(nvidia, { parent: '0000:01:00.0', partition: '3g.40gb' })
    expect(verdict(solve({ engine: 'vllm', devices }))).toBe('blocked: slices-apart')
  })

  test('divide the heads of the model', () => {
    const model = modelInFormat('safetensors', 'awq 4-bit')
    const three = [0, 1, 2].map((index) => nvidia({ index }))
    const solved = solve({ engine: 'vllm', devices: three, model })
    expect(verdict(solved)).toBe('blocked: heads-do-not-divide')
    expect(unlock(solved)).toBe('take 2 of them')
  })

  test.each<[string, Device['links'][number]['kind'] | null, string]>([
    ['NVIDIA L40S', 'nvlink', 'runs'],
    ['NVIDIA L40S', 'pcie', 'runs; slow-interconnect'],
    ['NVIDIA GeForce RTX 4090', 'pcie', 'runs; no-peer-to-peer'],
    ['NVIDIA L40S', null, 'runs; not-verified'],
  ])('%s linked by %s: %s', (name, kind, expected) => {
    const [one, other] = two(nvidia, { name })
    const links = (peerIndex: number) => (kind === null ? [] : [{ peerIndex, kind, detail: null }])
    const devices = [
      { ...(one as Device), links: links(1) },
      { ...(other as Device), links: links(0) },
    ]
    expect(verdict(solve({ engine: 'vllm', devices }))).toBe(expected)
  })
})

describe('the node', () => {
  test('has to have the system that the build is for', () => {
    const devices = [nvidia({})]
    const solved = solve({ engine: 'sglang', devices, node: { os: 'windows' } })
    expect(verdict(solved)).toBe('blocked: backend-missing')
    expect(verdict(solve({ engine: 'tei', devices, node: { os: 'windows' } }))).toBe(
      'blocked: wrong-os',
    )
  })

  test.each([
    ['13.4', 'blocked: runtime-mismatch'],
    ['13.5', 'runs'],
    [null, 'runs; not-verified'],
  ])('with macOS %s, MLX-LM: %s', (osVersion, expected) => {
    const solved = solve({ engine: 'mlx-lm', devices: [apple({})], node: { osVersion } })
    expect(verdict(solved)).toBe(expected)
  })

  test('has to have software for containers that gives them the device', () => {
    const on = (containers: CompatibilityQuestion['node']['containers']) =>
      verdict(
        solve({ engine: 'kokoro', kind: 'container', devices: [nvidia({})], node: { containers } }),
      )
    expect(on({ kind: 'none' })).toBe('blocked: no-container-software')
    expect(on({ kind: 'there', runtimes: ['runc'] })).toBe('blocked: container-without-device')
    expect(on({ kind: 'there', runtimes: ['runc', 'nvidia'] })).toBe('runs')
    expect(on({ kind: 'there', runtimes: null })).toBe('runs; not-verified')
    expect(on(null)).toBe('runs; not-verified')
  })

  test('has to have the program, for this backend', () => {
    const on = (engines: CompatibilityQuestion['node']['engines']) =>
      verdict(solve({ engine: 'llama-server', devices: [nvidia({})], node: { engines } }))
    expect(on([])).toBe('blocked: not-installed')
    expect(on([{ ...installed('llama-server', 'b6000'), backends: ['cpu'] }])).toBe(
      'blocked: not-installed',
    )
    expect(on([installed('llama-server', 'b6000')])).toBe('runs')
    const both = {
      ...installed('llama-server', 'b6000'),
      backends: ['cuda' as const, 'cpu' as const],
    }
    expect(on([both])).toBe('runs')
    expect(on([{ ...both, assumed: true }])).toBe('runs; not-verified')
    expect(on(null)).toBe('runs; not-verified')
  })
})

test('every reason is given, what decides most first', () => {
  const solved = solve({
    engine: 'sglang',
    devices: [nvidia({ architecture: 'sm_75', driverVersion: '510.39.01' })],
    format: 'gguf',
    task: 'speech',
    node: { engines: [] },
  })
  expect(solved.kind === 'blocked' && solved.findings.map(({ check }) => check)).toEqual([
    'architecture',
    'format',
    'task',
    'driver',
    'installed',
  ])
})

test('a new release of an engine is a row of data', () => {
  const known = engineNamed('vllm')
  const next: Support = {
    backend: 'vulkan',
    kinds: ['native'],
    os: ['linux'],
    versions: { from: '9.0' },
    minimums: { runtimes: { vulkan: '1.4' } },
    architectures: { kind: 'names', names: ['gfx1035'] },
    source: 'made up',
  }
  const engine = { ...known, supports: [next, ...known.supports] }
  const devices = [amd({ architecture: 'gfx1035', runtimes: { vulkan: '1.4.300' } })]
  const on = (version: string | null) =>
    verdict(
      solveCompatibility({
        ...questionAbout({
          engine: 'vllm',
          devices,
          node: { engines: [installed('vllm', version)] },
        }),
        engine,
        backend: 'vulkan',
      }),
    )
  expect(on('9.0')).toBe('runs')
  expect(on('8.9')).toMatch(/^blocked/)
})

describe('whatever is asked', () => {
  const anyDevice = fc.oneof(
    fc.record({
      make: fc.constant(nvidia),
      architecture: fc.constantFrom('sm_61', 'sm_70', 'sm_75', 'sm_86', 'sm_90', 'sm_120', null),
    }),
    fc.record({
      make: fc.constant(amd),
      architecture: fc.constantFrom('gfx906', 'gfx942', 'gfx1035', 'gfx1151', null),
    }),
    fc.record({ make: fc.constant(apple), architecture: fc.constantFrom('apple7', 'apple9') }),
    fc.record({ make: fc.constant(cpu), architecture: fc.constantFrom('x86_64', 'aarch64') }),
  )
  const level = (...known: readonly string[]) => fc.constantFrom(null, ...known)
  const anyQuestion = fc
    .record({
      engine: fc.constantFrom(...engineCatalog.map(({ id }) => id)),
      made: anyDevice,
      count: fc.integer({ min: 1, max: 4 }),
      driverVersion: level('470.10', '525.60.13', '550.1', '570.26', '580.65.06'),
      rocm: level('6.2', '6.3', '7.0', '7.0.2'),
      features: fc.subarray(['avx2', 'avx512f', 'avx512_bf16']),
      quantization: fc.constantFrom('bf16', 'fp8', 'awq 4-bit', 'mxfp4', 'nvfp4', 'odd', null),
      format: fc.constantFrom('safetensors' as const, 'gguf' as const, 'mlx' as const),
      kind: fc.constantFrom('native' as const, 'container' as const),
      engines: fc.constantFrom(
        null,
        [],
        [...engineIds].map((id) => installed(id, null)),
      ),
      containers: fc.constantFrom(null, { kind: 'there' as const, runtimes: [] }),
    })
    .map(({ engine, made, count, driverVersion, rocm, features, ...rest }) => {
      const { quantization, format, kind, engines, containers } = rest
      const devices = Array.from({ length: count }, (_, index) =>
        made.make({
          index,
          architecture: made.architecture,
          driverVersion,
          runtimes: { cuda: null, rocm, vulkan: null },
          features,
        }),
      )
      const model = modelInFormat(format, quantization)
      const node = { engines, containers, osVersion: null }
      return questionAbout({ engine, kind, devices, model, format, node })
    })

  test('what runs runs as well where there is more: newer drivers, more features, more installed', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        if (solveCompatibility(question).kind === 'blocked') return
        const better = question.devices.map((device) => ({
          ...device,
          driverVersion: '999.0',
          runtimes: { cuda: '99.0', rocm: '99.0', vulkan: '99.0' },
          features: [...device.features, 'avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'],
        }))
        const node = {
          ...question.node,
          containers: { kind: 'there' as const, runtimes: ['nvidia'] },
          engines: [...engineIds].map((id) => installed(id, null)),
        }
        expect(solveCompatibility({ ...question, devices: better, node }).kind).toBe('runs')
      }),
    )
  })

  test('a fact that is unknown refuses nothing', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        if (solveCompatibility(question).kind === 'blocked') return
        const unknown = question.devices.map((device) => ({
          ...device,
          driverVersion: null,
          runtimes: {},
          features: [],
          links: [],
        }))
        const node = { ...question.node, containers: null, engines: null, osVersion: null }
        expect(solveCompatibility({ ...question, devices: unknown, node }).kind).toBe('runs')
      }),
    )
  })

  test('every finding has a known name, and every no a way out', () => {
    fc.assert(
      fc.property(anyQuestion, (question) => {
        const solved = solveCompatibility(question)
        const findings = solved.kind === 'blocked' ? solved.findings : solved.notes
        for (const { check, code, kind, unlockedBy } of findings) {
          expect(compatibilityChecks).toContain(check)
          expect(findingCodes).toContain(code)
          if (kind === 'blocks') expect(unlockedBy).not.toBeNull()
        }
      }),
    )
  })
})

function installed(engine: EngineId, version: string | null) {
  return {
    engine,
    version,
    backends: [] as readonly Backend[],
    kinds: ['native', 'container'] as readonly LaunchKind[],
  }
}
