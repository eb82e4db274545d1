/** What is started on recorded machines, with what is installed there, for what is asked. */
import { expect, test } from 'vitest'
import { chooseLaunch, type LaunchNeed, NoLaunchError } from '#agent/choose-launch.ts'
import { engines } from '#engines/index.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import type { ReplicaSpec } from '#protocol/agent-messages.ts'
import { systemClock } from '#std/clock.ts'
import { recordedMachines } from '#testing/recorded-machines.ts'
import { wishedReplica } from '#testing/wished-replica.ts'

const machines = new Map(recordedMachines().map((machine) => [machine.id, machine]))

async function devicesOf(id: string): Promise<Pick<LaunchNeed, 'devices' | 'os'>> {
  const machine = machines.get(id)
  if (machine === undefined) throw new Error(`there is no recording ${id}`)
  const { recording, readPart } = machine
  const replayed = recordedMachine(recordingFile.parse(recording), readPart)
  const { inventory } = await detect(probes, replayed, { clock: systemClock })
  const hasCpu = inventory.devices.some(({ vendor }) => vendor === 'cpu')
  // Somebody recorded the card alone.
  const devices = hasCpu ? inventory.devices : [...inventory.devices, ...(await cpuOf())]
  return { devices, os: inventory.os === 'darwin' ? 'macos' : 'linux' }
}

const cpuOf = async () => (await devicesOf('cpu/cloud-vm')).devices

const anything = wishedReplica('tiny-1')

const gguf = { format: 'gguf', path: '/w/tiny.gguf', root: '/w' } as const
const safetensors = { format: 'safetensors', path: '/w/tiny', root: '/w' } as const

interface Case {
  readonly machine: string
  readonly installed?: readonly string[]
  readonly own?: LaunchNeed['ownProgram']['backends']
  readonly weights?: LaunchNeed['weights']
  readonly wish?: Partial<ReplicaSpec>
  readonly reported?: LaunchNeed['installed']
}

async function needOf({
  machine,
  installed = [],
  own,
  weights,
  wish,
  reported,
}: Case): Promise<LaunchNeed> {
  return {
    ...(await devicesOf(machine)),
    spec: { ...anything, ...wish },
    weights: weights ?? gguf,
    port: 8_123,
    ownProgram: { command: 'node', args: ['embedded.js'], backends: own ?? { cpu: [] } },
    findProgram: (command) => (installed.includes(command) ? `/opt/bin/${command}` : null),
    installed: reported ?? [],
    deviceGroupIds: [44, 993],
    cacheDirectory: '/var/lib/motley/cache',
    engines,
  }
}

const rtx = 'nvidia/rtx-4090'
const mac = 'apple/m4-max-128-gb'
const radeon = 'amd/rx-7900-xt'

test.each<Case & { readonly runs: string; readonly alarm?: RegExp }>([
  { machine: rtx, installed: ['llama-server'], runs: 'llama-server on cuda' },
  { machine: rtx, installed: ['llama-server', 'vllm'], runs: 'llama-server on cuda' },
  { machine: rtx, installed: ['vllm'], weights: safetensors, runs: 'vllm on cuda' },
  { machine: rtx, own: { cpu: [], cuda: [] }, runs: 'motley-embedded on cuda' },
  {
    machine: rtx,
    own: { cpu: [], cuda: [] },
    installed: ['llama-server'],
    runs: 'llama-server on cuda',
  },
  {
    machine: rtx,
    runs: 'motley-embedded on cpu',
    alarm:
      /^It runs on the CPU although there is NVIDIA GeForce RTX 4090\. llama\.cpp llama-server on cuda: there is no program "llama-server" on the PATH/,
  },
  { machine: rtx, wish: { backend: 'cpu' }, runs: 'motley-embedded on cpu' },
  {
    machine: rtx,
    wish: { backend: 'vulkan' },
    installed: ['llama-server'],
    runs: 'llama-server on vulkan',
  },
  {
    machine: rtx,
    wish: { engine: 'motley-embedded' },
    installed: ['llama-server'],
    runs: 'motley-embedded on cpu',
    alarm: /Motley embedded on cuda: it has no such build here: "motley engine install"/,
  },
  { machine: mac, own: { cpu: [], metal: [] }, runs: 'motley-embedded on metal' },
  { machine: mac, installed: ['llama-server'], runs: 'llama-server on metal' },
  { machine: radeon, installed: ['llama-server'], runs: 'llama-server on rocm' },
  { machine: radeon, own: { cpu: [], vulkan: [] }, runs: 'motley-embedded on vulkan' },
  // ROCm has no code of its own for these: it would run that of a relative, which may hang.
  { machine: 'amd/radeon-680m', installed: ['llama-server'], runs: 'llama-server on vulkan' },
  { machine: 'amd/rx-6700-xt', installed: ['llama-server'], runs: 'llama-server on vulkan' },
  {
    machine: 'amd/radeon-680m',
    wish: { backend: 'rocm' },
    installed: ['llama-server'],
    runs: 'llama-server on rocm',
  },
  { machine: 'cpu/cloud-vm', runs: 'motley-embedded on cpu' },
  { machine: 'cpu/cloud-vm', installed: ['llama-server'], runs: 'llama-server on cpu' },
])('$machine with $installed, wish $wish: $runs', async ({ runs, alarm, ...asked }) => {
  const { engine, backend, alarms, plan } = chooseLaunch(await needOf(asked))
  expect(`${engine.id} on ${backend}`).toBe(runs)
  expect(alarms).toEqual(alarm === undefined ? [] : [expect.stringMatching(alarm)])
  // Whoever it is, it listens where only this machine reaches it.
  expect(JSON.stringify([plan.args, plan.env])).toContain('127.0.0.1')
  expect(JSON.stringify([plan.args, plan.env])).toContain('8123')
})

test.each<Case & { readonly says: RegExp }>([
  {
    machine: rtx,
    wish: { engine: 'gpt-cannon' },
    says: /^there is no engine "gpt-cannon"; there is vllm, /,
  },
  {
    machine: mac,
    wish: { backend: 'cuda' },
    says: /^no device of this machine may be used for cuda; it has .*M4 Max/,
  },
  { machine: rtx, wish: { engine: 'openai' }, says: /somebody else starts it/ },
  {
    machine: rtx,
    wish: { engine: 'vllm' },
    weights: safetensors,
    says: /^nothing here can run it\. vLLM on cuda: there is no program "vllm" on the PATH/,
  },
  { machine: mac, weights: safetensors, says: /^nothing here can run it\. .*there is no program/ },
  {
    machine: rtx,
    wish: { backend: 'cuda' },
    says: /^nothing here can run it\. llama\.cpp llama-server on cuda: there is no program/,
  },
])('$machine, wish $wish: it says $says', async ({ says, ...asked }) => {
  const need = await needOf(asked)
  expect(() => chooseLaunch(need)).toThrow(NoLaunchError)
  expect(() => chooseLaunch(need)).toThrow(says)
})

const reporting = (
  backends: LaunchNeed['installed'][number]['backends'],
  more = {},
): LaunchNeed['installed'] => [
  { engine: 'llama-server', version: '6123', kinds: ['native'], backends, ...more },
]

test('a program that is built for the CPU alone is not started for a GPU', async () => {
  const asked: Case = {
    machine: rtx,
    installed: ['llama-server'],
    reported: reporting(['cpu']),
  }
  const says =
    'llama.cpp llama-server on cuda: the one that is installed can use cpu and no cuda: install its build for cuda, start it in a container, or see "motley doctor" for its driver.'
  const { engine, backend, alarms } = chooseLaunch(await needOf(asked))
  expect(`${engine.id} on ${backend}`).toBe('llama-server on cpu')
  expect(alarms[0]).toContain(says)
  const wanted = await needOf({ ...asked, wish: { backend: 'cuda', engine: 'llama-server' } })
  expect(() => chooseLaunch(wanted)).toThrow(`nothing here can run it. ${says}`)
  // In its container it is built for what it is started for.
  const contained = await needOf({ ...asked, wish: { kind: 'container', engine: 'llama-server' } })
  expect(chooseLaunch(contained).backend).toBe('cuda')
  // What does not tell is believed.
  const assumed = reporting(['cuda', 'cpu'], { assumed: true })
  const believed = chooseLaunch(await needOf({ ...asked, reported: assumed }))
  expect(believed.backend).toBe('cuda')
})

test('an interpreter without the package of an engine starts none, once somebody has looked', async () => {
  const asked: Case = { machine: rtx, weights: safetensors, installed: ['python3'] }
  const looked = await needOf({ ...asked, reported: reporting(['cpu']) })
  expect(() => chooseLaunch(looked)).toThrow(
    'SGLang on cuda: "python3" is there, and the engine is not in it: install it there,',
  )
  expect(chooseLaunch(await needOf(asked)).engine.id).toBe('sglang')
  const reported = reporting(['cuda'], { engine: 'sglang', version: '0.5.10' })
  const { engine, plan } = chooseLaunch(await needOf({ ...asked, reported }))
  expect(`${engine.id} by ${plan.command}`).toBe('sglang by /opt/bin/python3')
})

test('a driver that is older than a build needs is named, with the one it needs', async () => {
  const wish = { engine: 'vllm', kind: 'container', backend: 'cuda' } as const
  const need = await needOf({ machine: rtx, weights: safetensors, wish })
  const devices = need.devices.map((device) =>
    device.vendor === 'nvidia' ? { ...device, driverVersion: '470.42.01' } : device,
  )
  expect(() => chooseLaunch({ ...need, devices })).toThrow(
    /^nothing here can run it\. vLLM on cuda: it needs driver [\d.]+, and NVIDIA GeForce RTX 4090 has 470\.42\.01: upgrade the driver to [\d.]+ or newer\.$/,
  )
})

test('a program is started where it was found', async () => {
  const { plan } = chooseLaunch(await needOf({ machine: rtx, installed: ['llama-server'] }))
  expect(plan.command).toBe('/opt/bin/llama-server')
})

test('a container gets the groups of the GPU files, and keeps what it compiles', async () => {
  const wish = { kind: 'container', engine: 'vllm' } as const
  const asked = { machine: 'amd/8-mi308x', weights: safetensors, wish }
  const { plan } = chooseLaunch(await needOf(asked))
  expect(plan.container?.groups).toEqual(['44', '993'])
  // Apart from that of native engines, who could not replace what root wrote.
  expect(plan.env['VLLM_CACHE_ROOT']).toBe('/var/lib/motley/cache/container/vllm')
  expect(plan.container?.mounts).toContainEqual({
    source: '/var/lib/motley/cache/container',
    target: '/var/lib/motley/cache/container',
    readOnly: false,
  })
})

test('the build of the embedded engine is named to it', async () => {
  const own = { cpu: [], cuda: ['--engine-directory', '/data/cuda'] }
  const { plan } = chooseLaunch(await needOf({ machine: rtx, own }))
  expect(plan.args.slice(0, 3)).toEqual(['embedded.js', '--engine-directory', '/data/cuda'])
})

test('devices that are asked for by their numbers are used, all of them, and no other', async () => {
  const ask = async (deviceIndexes: number[] | null) => {
    const wish = { deviceIndexes }
    const asked = { machine: 'amd/8-mi308x', installed: ['vllm'], weights: safetensors, wish }
    const { plan } = chooseLaunch(await needOf(asked))
    const parallel = plan.args[plan.args.indexOf('--tensor-parallel-size') + 1]
    return [plan.env['ROCR_VISIBLE_DEVICES']?.split(',').length, parallel]
  }
  expect(await ask([2, 5])).toEqual([2, '2'])
  expect((await ask([2]))[0]).toBe(1)
  expect((await ask(null))[0]).toBe(1)
})

test('of several cards the one with the most memory is taken, where nobody says which', async () => {
  const need = await needOf({ machine: 'amd/8-mi308x', installed: ['vllm'], weights: safetensors })
  const devices = need.devices.map((device) =>
    device.index === 6 ? { ...device, memoryBytes: 2 * (device.memoryBytes ?? 0) } : device,
  )
  const { plan } = chooseLaunch({ ...need, devices })
  const { uuid } = devices.find(({ index }) => index === 6) ?? {}
  expect([uuid, '6']).toContain(plan.env['ROCR_VISIBLE_DEVICES'])
})

test('a device that may not be used is passed over, and the alarm says why', async () => {
  const need = await needOf({ machine: rtx, installed: ['llama-server'] })
  const devices = need.devices.map((device) =>
    device.vendor === 'nvidia'
      ? { ...device, schedulable: false, reason: 'its driver is broken' }
      : device,
  )
  const { backend, alarms } = chooseLaunch({ ...need, devices })
  expect(backend).toBe('cpu')
  expect(alarms[0]).toMatch(/although there is NVIDIA GeForce RTX 4090\. its driver is broken/i)
})

test('the devices that placement chose are taken, all of them, and no others', async () => {
  const machine = 'nvidia/topology-2-rtx-5090-3-rtx-4090'
  const installed = ['vllm']
  const wish = { engine: 'vllm', devices: ['nvidia-0', 'nvidia-2'], memoryFraction: 0.4 }
  const chosen = chooseLaunch(await needOf({ machine, installed, weights: safetensors, wish }))
  expect(chosen.devices.map(({ index }) => index)).toEqual([0, 2])
  expect(chosen.plan.args.join(' ')).toMatch(/--gpu-memory-utilization 0.4/)
  expect(chosen.plan.args.join(' ')).toMatch(/--tensor-parallel-size 2/)
})

test('a chosen device that has gone is no reason to take another', async () => {
  const wish = { devices: ['nvidia-0', 'nvidia-7'] }
  const need = await needOf({ machine: rtx, installed: ['llama-server'], wish })
  expect(() => chooseLaunch(need)).toThrow(/no device of this machine may be used/)
})

test('an engine that has no such task is not started for it', async () => {
  const wish = { task: 'transcription', engine: 'llama-server' } as const
  const need = await needOf({ machine: rtx, installed: ['llama-server'], wish })
  expect(() => chooseLaunch(need)).toThrow(/has no transcription/)
})
