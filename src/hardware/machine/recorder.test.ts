import { expect, test } from 'vitest'
import { maskFor } from '#hardware/machine/mask.ts'
import { recorderOf } from '#hardware/machine/recorder.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import type { CommandResult, Machine } from '#hardware/probe.ts'

const owner = { hostName: 'elminster.lan', userName: 'alice', homeDirectory: '/home/alice' }

const answers: Readonly<Record<string, CommandResult>> = {
  'nvidia-smi -L': {
    kind: 'ran',
    exitCode: 0,
    stdout: 'GPU 0: NVIDIA L40S (UUID: GPU-27b94a00-ed54-5c24-b1fd-1054085de32a)\n',
    stderr: '',
  },
  'nvidia-smi': { kind: 'ran', exitCode: 9, stdout: '', stderr: 'no driver on elminster\n' },
  'amd-smi list': { kind: 'timeout', afterMs: 3_000.4, stdout: 'half', stderr: '' },
  lscpu: { kind: 'failed', why: 'permission denied' },
}

const machine: Machine = {
  system: 'linux',
  run: async (command, args) => answers[[command, ...args].join(' ')] ?? { kind: 'missing' },
  readFile: async (path) => (path === '/proc/meminfo' ? 'MemTotal: 1 kB\n' : null),
  listDirectory: async () => [],
  readLink: async (path) => (path === '/sys/card0' ? '../../0000:01:00.0' : null),
  variable: (name) => (name === 'HSA_OVERRIDE_GFX_VERSION' ? '10.3.0' : null),
  basics: async () => null,
  otherRuns: async () => [],
}

test('what was asked and answered is replayed, and what was not is unknown', async () => {
  const recorder = recorderOf(machine)
  const asked = [
    ['nvidia-smi', '-L'],
    ['nvidia-smi'],
    ['amd-smi', 'list'],
    ['lscpu'],
    ['xpu-smi', 'discovery'],
  ] as const
  for (const [command, ...args] of asked) await recorder.machine.run(command, args, 3_000)
  await recorder.machine.readFile('/proc/meminfo')
  await recorder.machine.readFile('/proc/nothing')
  await recorder.machine.readLink('/sys/card0')
  recorder.machine.variable('HSA_OVERRIDE_GFX_VERSION')
  const parts = await recorder.write('a test', (text) => text)

  const recording = recordingFile.parse(JSON.parse(parts.get('machine.json') ?? ''))
  const replayed = recordedMachine(recording, (name) => parts.get(name) ?? null)
  for (const [command, ...args] of asked) {
    const before = await machine.run(command, args, 3_000)
    const rounded = before.kind === 'timeout' ? { ...before, afterMs: 3_000 } : before
    expect(await replayed.run(command, args, 3_000)).toEqual(rounded)
  }
  expect(await replayed.run('xpu-smi', ['other'], 1)).toEqual({ kind: 'missing' })
  expect(await replayed.run('vulkaninfo', [], 1)).toEqual({ kind: 'unknown' })
  expect(await replayed.readFile('/proc/meminfo')).toBe('MemTotal: 1 kB\n')
  expect(await replayed.readFile('/proc/nothing')).toBeNull()
  expect(await replayed.listDirectory('/proc')).toEqual(['meminfo'])
  expect(await replayed.readLink('/sys/card0')).toBe('../../0000:01:00.0')
  expect(replayed.variable('HSA_OVERRIDE_GFX_VERSION')).toBe('10.3.0')
})

test.each([
  [
    'host and user',
    'elminster.lan: /home/alice/models, alice@elminster',
    'node: /home/user/models, user@node',
  ],
  ['no word that only contains them', 'malice, elminsters', 'malice, elminsters'],
  [
    'keys',
    'token=abc123 HF hf_abcdefghijkl Bearer eyJhbGciOi',
    'token=masked HF hf_masked Bearer masked',
  ],
  ['serial numbers', '<serial>1324321002473</serial>', '<serial>masked</serial>'],
  ['serial numbers of text logs', 'Serial Number       : 1324', 'Serial Number       : masked'],
  ['serial numbers of JSON', '"product_serial": "PCB01"', '"product_serial": "masked"'],
  ['numbers that AMD etches in', 'unique_id 598046273873802902', 'unique_id 0'],
  ['addresses', 'at 192.168.1.7 and aa:bb:cc:dd:ee:ff', 'at 192.0.2.1 and 00:00:00:00:00:00'],
  [
    'no version',
    'VBIOS 95.02.66.00.02, conformance 1.3.1.1',
    'VBIOS 95.02.66.00.02, conformance 1.3.1.1',
  ],
  ['no PCI address', '0000:0c:00.0', '0000:0c:00.0'],
])('a mask hides %s', (_, text, masked) => {
  expect(maskFor(owner)(text)).toBe(masked)
})

test('masked UUIDs are still told apart, and the same ones found again', () => {
  const mask = maskFor(owner)
  const [one, other] = [
    '27b94a00-ed54-5c24-b1fd-1054085de32a',
    '71d1acc2-662d-2166-bf9f-65272d2fc437',
  ]
  expect(mask(`GPU-${one} MIG-${other} GPU-${one}`)).toBe(
    'GPU-00000000-0000-0000-0000-000000000001 MIG-00000000-0000-0000-0000-000000000002 GPU-00000000-0000-0000-0000-000000000001',
  )
  // Vulkan writes the PCI address there; without it the GPU would not be found again.
  const address = '00000000-0a00-0000-0000-000000000000'
  expect(mask(address)).toBe(address)
})

test('a user with a common name does not blank out half of the recording', () => {
  const mask = maskFor({ hostName: 'pc', userName: 'root', homeDirectory: '/root' })
  expect(mask('root reads /root/pc')).toBe('root reads /root/pc')
})
