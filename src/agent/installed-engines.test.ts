import { expect, test } from 'vitest'
import { type InstalledOptions, installedEngines, versionIn } from '#agent/installed-engines.ts'
import { engines } from '#engines/index.ts'
import type { CommandResult } from '#hardware/probe.ts'

const printed = (stdout: string): CommandResult => ({
  kind: 'ran',
  exitCode: 0,
  stdout,
  stderr: '',
})

function optionsWith(
  programs: readonly string[],
  more: Partial<InstalledOptions> = {},
): InstalledOptions {
  return {
    engines,
    os: 'linux',
    machine: { run: async () => printed('0.11.0\n') },
    ownProgram: { command: 'node', args: [], backends: { cpu: [] } },
    ownVersion: '0.1.0',
    isInstalled: (command) => programs.includes(command),
    hasContainers: false,
    ...more,
  }
}

test('with nothing on the PATH there is the engine that is part of Motley', async () => {
  expect(await installedEngines(optionsWith([]))).toEqual([
    { engine: 'motley-embedded', version: '0.1.0', backends: ['cpu'], kinds: ['native'] },
  ])
})

test('a program on the PATH is an engine with its version and the backends it is built for', async () => {
  const found = await installedEngines(optionsWith(['vllm', 'llama-server']))
  expect(found.map(({ engine }) => engine)).toEqual(['vllm', 'llama-server', 'motley-embedded'])
  expect(found[0]).toMatchObject({ version: '0.11.0', kinds: ['native'] })
  expect(found[0]?.backends).toContain('cuda')
})

test('with a container runtime there are engines that are started in containers, too', async () => {
  const found = await installedEngines(optionsWith([], { hasContainers: true }))
  const vllm = found.filter(({ engine }) => engine === 'vllm')
  expect(vllm).toMatchObject([{ kinds: ['container'], version: null }])
  expect(vllm[0]?.backends).toEqual(expect.arrayContaining(['cuda', 'rocm']))
})

test('what is not built for a system is not there, whatever its PATH holds', async () => {
  const found = await installedEngines(optionsWith(['vllm', 'llama-server'], { os: 'macos' }))
  expect(found.map(({ engine }) => engine)).not.toContain('vllm')
  expect(found.map(({ engine }) => engine)).toContain('llama-server')
})

test('a program that hangs or fails when asked has no version', async () => {
  const results: CommandResult[] = [
    { kind: 'timeout', afterMs: 8_000, stdout: '0.1', stderr: '' },
    { kind: 'ran', exitCode: 1, stdout: 'needs libcuda 12.4', stderr: '' },
    { kind: 'missing' },
  ]
  for (const result of results) {
    const [vllm] = await installedEngines(
      optionsWith(['vllm'], { machine: { run: async () => result } }),
    )
    expect(vllm).toMatchObject({ engine: 'vllm', version: null })
  }
})

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
