import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { backendsInDeviceList, backendsOfTorch, versionIn } from '#engines/engine-program.ts'

test.each([
  ['0.11.0\n', '0.11.0'],
  ['version: 6123 (abcdef1)\nbuilt with gcc 13.2.0', '6123'],
  ['version: 6123 (abcdef1)', '6123'],
  ['ollama version is 0.9.1', '0.9.1'],
  ['vLLM API server version v0.11.0rc2', '0.11.0rc2'],
  ['usage: engine [options]', null],
])('the version in %j is %s', (text, version) => {
  expect(versionIn(text)).toBe(version)
})

/** What three builds of llama.cpp printed on three machines. */
const lists = readFileSync(
  new URL(
    '../../fixtures/hardware/mixed/llama-server-lists/llama-list-devices.txt',
    import.meta.url,
  ),
  'utf8',
).split(/\n\n/)

test.each([
  { list: lists[0], backends: ['metal', 'cpu'] },
  { list: lists[1], backends: ['vulkan', 'cpu'] },
  { list: lists[2], backends: ['cpu'] },
  {
    list: 'ggml_cuda_init: found 1 CUDA devices:\nAvailable devices:\n  CUDA0: NVIDIA GeForce RTX 4090 (24217 MiB, 23500 MiB free)\n  Vulkan0: NVIDIA GeForce RTX 4090 (24564 MiB, 24000 MiB free)\n',
    backends: ['cuda', 'vulkan', 'cpu'],
  },
  { list: 'Available devices:\n', backends: ['cpu'] },
  { list: 'error: invalid argument: --list-devices', backends: null },
  { list: '', backends: null },
])('a build that lists $list is one for $backends', ({ list = '', backends }) => {
  expect(backendsInDeviceList(list)).toEqual(backends)
})

test.each([
  ['2.9.0+cu128', ['cuda']],
  ['0.11.0rc2+rocm700', ['rocm']],
  ['2.12.0+xpu', ['level-zero']],
  ['0.19.0+cpu', ['cpu']],
  ['2.9.0', null],
  ['0.11.1.dev3+g1a2b3c4', null],
])('%s is built for %s', (version, backends) => {
  expect(backendsOfTorch(version)).toEqual(backends)
})
