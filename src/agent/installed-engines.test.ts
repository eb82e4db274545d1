import { expect, test } from 'vitest'
import { type InstalledOptions, installedEngines } from '#agent/installed-engines.ts'
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
    findProgram: (command) => (programs.includes(command) ? `/usr/bin/${command}` : null),
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

/** Answers by the program and its first argument. */
function saying(answers: Readonly<Record<string, string>>): InstalledOptions['machine'] {
  return {
    run: async (command, [first = '']) => {
      const answer = answers[`${command} ${first}`]
      return answer === undefined
        ? { kind: 'ran', exitCode: 1, stdout: '', stderr: 'unknown argument' }
        : printed(answer)
    },
  }
}

test('a llama-server that sees no GPU is one for the CPU, whatever there are builds for', async () => {
  const machine = saying({
    '/usr/bin/llama-server --version': 'version: 6123 (abcdef1)\nbuilt with gcc 13.2.0',
    '/usr/bin/llama-server --list-devices': 'Available devices:\n',
  })
  expect(await installedEngines(optionsWith(['llama-server'], { machine }))).toContainEqual({
    engine: 'llama-server',
    version: '6123',
    backends: ['cpu'],
    kinds: ['native'],
  })
})

test('a program that does not tell what it is built for is said not to', async () => {
  const machine = saying({ '/usr/bin/llama-server --version': 'version: 3100 (abc)' })
  const found = await installedEngines(optionsWith(['llama-server', 'trtllm-serve'], { machine }))
  expect(found.find(({ engine }) => engine === 'llama-server')).toMatchObject({
    version: '3100',
    assumed: true,
    backends: expect.arrayContaining(['cuda', 'cpu']),
  })
  // There is only one thing that this can be built for.
  const trt = found.find(({ engine }) => engine === 'tensorrt-llm')
  expect(trt).toMatchObject({ backends: ['cuda'] })
  expect(trt).not.toHaveProperty('assumed')
})

test('an interpreter is no engine, until it has the package', async () => {
  const programs = ['python3', 'uvicorn']
  const without = await installedEngines(optionsWith(programs, { machine: saying({}) }))
  expect(without.map(({ engine }) => engine)).toEqual(['motley-embedded'])
  const machine = saying({ '/usr/bin/python3 -c': 'version: 0.5.10\ntorch: 2.9.0+cu128\n' })
  const found = await installedEngines(optionsWith(programs, { machine }))
  expect(found.find(({ engine }) => engine === 'sglang')).toEqual({
    engine: 'sglang',
    version: '0.5.10',
    backends: ['cuda'],
    kinds: ['native'],
  })
})
