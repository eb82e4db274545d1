import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  chooseVariant,
  importLlama,
  type VariantFacts,
  variantManifest,
} from '#embedded/variant.ts'

function machine(
  platform: NodeJS.Platform,
  arch: string,
  ...present: readonly string[]
): VariantFacts {
  const has = (name: string): boolean => present.includes(name)
  return { platform, arch, exists: has, isOnPath: has }
}

const vulkanLoader = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1'

test.each([
  { what: 'a plain box', facts: machine('linux', 'x64'), variant: 'cpu', included: true },
  {
    what: 'an NVIDIA driver',
    facts: machine('linux', 'x64', '/dev/nvidiactl', '/dev/dri', vulkanLoader),
    variant: 'cuda',
    included: false,
  },
  {
    what: 'nvidia-smi on Windows',
    facts: machine('win32', 'x64', 'nvidia-smi'),
    variant: 'cuda',
    included: false,
  },
  {
    what: 'a Radeon with a Vulkan loader',
    facts: machine('linux', 'x64', '/dev/dri', vulkanLoader),
    variant: 'vulkan',
    included: false,
  },
  {
    what: 'a GPU without a Vulkan loader',
    facts: machine('linux', 'x64', '/dev/dri'),
    variant: 'cpu',
    included: true,
  },
  { what: 'Apple silicon', facts: machine('darwin', 'arm64'), variant: 'metal', included: true },
  { what: 'an Intel Mac', facts: machine('darwin', 'x64'), variant: 'cpu', included: true },
  {
    what: 'a Jetson',
    facts: machine('linux', 'arm64', '/dev/nvidiactl'),
    variant: 'cpu',
    included: true,
  },
])('$what gets $variant', ({ facts, variant, included }) => {
  expect(chooseVariant(facts)).toMatchObject({ variant, included })
})

test('a variant is installed in our version, without the builds it does not need', async () => {
  const manifest = await variantManifest('vulkan', 'linux', 'x64')
  const { default: own } = await import('../../package.json', { with: { type: 'json' } })
  expect(manifest['dependencies']).toEqual({
    'node-llama-cpp': own.dependencies['node-llama-cpp'],
  })
  const skipped = Object.keys(manifest['overrides'] as object)
  expect(skipped).toContain('@node-llama-cpp/linux-x64-cuda')
  expect(skipped).toContain('@node-llama-cpp/linux-x64-cuda-ext')
  expect(skipped).toContain('@node-llama-cpp/linux-arm64')
  expect(skipped).not.toContain('@node-llama-cpp/linux-x64-vulkan')
  expect(skipped).not.toContain('@node-llama-cpp/linux-x64')
})

test('a Mac keeps its Metal build, and CUDA both of its packages', async () => {
  const mac = await variantManifest('metal', 'darwin', 'arm64')
  expect(mac['overrides']).not.toHaveProperty(['@node-llama-cpp/mac-arm64-metal'])
  const windows = await variantManifest('cuda', 'win32', 'x64')
  expect(windows['overrides']).not.toHaveProperty(['@node-llama-cpp/win-x64-cuda'])
  expect(windows['overrides']).not.toHaveProperty(['@node-llama-cpp/win-x64-cuda-ext'])
  expect(windows['overrides']).toHaveProperty(['@node-llama-cpp/win-x64-vulkan'])
})

test('a folder without a variant gives the bundled engine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-variant-'))
  try {
    expect(await importLlama(folder)).toBe(await importLlama())
  } finally {
    await rm(folder, { recursive: true })
  }
})
