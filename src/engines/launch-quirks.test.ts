/** What single engines, devices and containers want that no suite for all of them would ask. */
import { expect, test } from 'vitest'
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { LaunchDevice, LaunchRequest } from '#engines/engine-launch.ts'
import { device, launched, requestFor } from '#engines/test-launch.ts'

function start(id: string, backend: Backend, kind: LaunchKind, changes: Partial<LaunchRequest>) {
  const { engine, launch } = launched.find((one) => one.id === id) as (typeof launched)[number]
  return launch({ ...requestFor(engine, backend, kind), ...changes })
}
const gpu = (architecture: string, changes: Partial<LaunchDevice> = {}): LaunchDevice => ({
  ...device(3, 'GPU-0a1b2c3d-0000-4000-8000-000000000003', architecture),
  ...changes,
})

test('a GPU is called by its UUID where the engine understands one', () => {
  const devices = [gpu('sm_89')]
  expect(start('llama-server', 'cuda', 'native', { devices })).toMatchObject({
    env: { CUDA_VISIBLE_DEVICES: 'GPU-0a1b2c3d-0000-4000-8000-000000000003' },
  })
  expect(start('vllm', 'cuda', 'native', { devices })).toMatchObject({
    env: { CUDA_VISIBLE_DEVICES: '3', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' },
  })
})

test('a MIG instance has no number, so vLLM gets its UUID all the same', () => {
  const devices = [gpu('sm_90', { uuid: 'MIG-5f0c2a4e-0000-5000-8000-000000000000' })]
  expect(start('vllm', 'cuda', 'native', { devices })).toMatchObject({
    env: { CUDA_VISIBLE_DEVICES: 'MIG-5f0c2a4e-0000-5000-8000-000000000000' },
  })
})

test('no replica spans two MIG instances', () => {
  const devices = [gpu('sm_90', { uuid: 'MIG-1' }), gpu('sm_90', { uuid: 'MIG-2' })]
  expect(start('vllm', 'cuda', 'native', { devices, tensorParallel: 2 })).toMatchObject({
    code: 'wrong-devices',
  })
})

test('AMD cards without a serial number share a UUID, so they are called by number', () => {
  const devices = [gpu('gfx1100', { uuid: 'GPU-XX' })]
  expect(start('llama-server', 'rocm', 'native', { devices })).toMatchObject({
    env: { ROCR_VISIBLE_DEVICES: '3' },
  })
})

test('a GPU without code of its own runs that of a relative, if somebody wants it', () => {
  const devices = [gpu('gfx1035', { unifiedMemory: true })]
  expect(start('llama-server', 'rocm', 'native', { devices })).toMatchObject({
    code: 'wrong-architecture',
    fix: expect.stringContaining('vulkan'),
  })
  expect(
    start('llama-server', 'rocm', 'native', { devices, allowsArchitectureOverride: true }),
  ).toMatchObject({
    env: { HSA_OVERRIDE_GFX_VERSION: '10.3.0', GGML_CUDA_ENABLE_UNIFIED_MEMORY: '1' },
  })
  const mixed = [...devices, gpu('gfx1100')]
  expect(
    start('llama-server', 'rocm', 'native', { devices: mixed, allowsArchitectureOverride: true }),
  ).toMatchObject({ code: 'wrong-architecture', fix: 'Start one replica on each.' })
})

test('Turing has no bfloat16, and vLLM is told', () => {
  const result = start('vllm', 'cuda', 'native', { devices: [gpu('sm_75')] })
  expect(result.kind === 'plan' && result.args.join(' ')).toContain('--dtype half')
  expect(start('vllm', 'cuda', 'native', { devices: [gpu('sm_70')] })).toMatchObject({
    code: 'wrong-architecture',
  })
})

test('a container on Jetson gets its GPU through the runtime', () => {
  const devices = [gpu('sm_87', { unifiedMemory: true, uuid: null })]
  expect(start('llama-server', 'cuda', 'container', { devices })).toMatchObject({
    container: { runtime: 'nvidia', gpus: null },
    env: { NVIDIA_VISIBLE_DEVICES: 'all' },
  })
})

test('Vulkan in a container on NVIDIA needs the graphics part of the driver', () => {
  expect(start('llama-server', 'vulkan', 'container', { devices: [gpu('sm_61')] })).toMatchObject({
    container: { gpus: ['GPU-0a1b2c3d-0000-4000-8000-000000000003'], devices: [] },
    env: { NVIDIA_DRIVER_CAPABILITIES: 'compute,utility,graphics' },
  })
})

test('an image is taken for the architecture where there is one for each', () => {
  const image = (id: string, backend: Backend, architecture: string): unknown => {
    const result = start(id, backend, 'container', { devices: [gpu(architecture)] })
    return result.kind === 'plan' ? result.container?.image : result.code
  }
  expect(image('tei', 'cuda', 'sm_90')).toMatch(/:hopper-1\.9$/)
  expect(image('tei', 'cuda', 'sm_70')).toBe('wrong-architecture')
  expect(image('tei', 'cpu', 'aarch64')).toMatch(/:cpu-arm64-1\.9$/)
  expect(image('vllm', 'cpu', 'aarch64')).toMatch(/:latest-arm64$/)
  expect(image('sglang', 'rocm', 'gfx950')).toMatch(/-mi35x$/)
  expect(image('kokoro', 'cuda', 'sm_120')).toMatch(/:latest-cu128$/)
  expect(image('xtts', 'cuda', 'sm_120')).toBe('wrong-architecture')
})

test('the embedded engine is started as this program is', () => {
  expect(start('motley-embedded', 'cpu', 'native', { ownProgram: null })).toMatchObject({
    code: 'no-program',
  })
})

test('files that links among the weights lead to are mounted where they are', () => {
  const weights = {
    format: 'gguf',
    path: '/models/a.gguf',
    root: '/models',
    outside: ['/mnt/other/blobs/sha256-1'],
  } as const
  const file = { source: weights.outside[0], target: weights.outside[0], readOnly: true }
  expect(start('llama-server', 'cuda', 'container', { weights })).toMatchObject({
    container: { mounts: [{ source: '/models', target: '/models' }, file] },
  })
})

test('what compiled kernels may be kept in is mounted as well', () => {
  const cacheDirectory = '/var/cache/motley'
  expect(start('vllm', 'cuda', 'container', { cacheDirectory })).toMatchObject({
    env: { VLLM_CACHE_ROOT: '/var/cache/motley/vllm' },
    container: { mounts: [{}, { source: cacheDirectory, readOnly: false }] },
  })
})
