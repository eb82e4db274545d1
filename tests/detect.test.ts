/** `motley detect`, `doctor` and `record` as people run them: tools on PATH, a host mounted elsewhere. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { inventory } from '#hardware/detect.ts'
import { untilTrue } from './harness/until-true.ts'

const bin = fileURLToPath(new URL('../bin/motley', import.meta.url))
const fixtures = fileURLToPath(new URL('../fixtures/hardware/', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'motley-detect-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Nothing but these tools, a shell to run them, and the Node that runs Motley. */
function motley(
  args: readonly string[],
  { tools = {}, env = {} }: { tools?: Record<string, string>; env?: Record<string, string> } = {},
): Promise<Ended> {
  const place = mkdtempSync(join(folder, 'tools-'))
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(place, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(place, name), 0o755)
  }
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE|HSA)_/.test(name))
  const all = { ...Object.fromEntries(own), PATH: [place, '/bin'].join(delimiter), ...env }
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { env: all }, (error, out, err) =>
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        out,
        err,
      }),
    )
  })
}

/** A host's /proc and /sys of these files; a value that begins with -> is a link. */
function rootfs(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(folder, 'root-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(root, path))
    else writeFileSync(join(root, path), `${text}\n`)
  }
  return root
}

async function devicesOf(run: Promise<Ended>) {
  const { code, out, err } = await run
  expect({ code, err }).toEqual({ code: 0, err: '' })
  return inventory.parse(JSON.parse(out)).devices.filter(({ vendor }) => vendor !== 'cpu')
}

/** A Strix Halo with a small carve-out, as the kernel shows it when no tool of AMD is installed. */
const strixHalo = rootfs({
  '/proc/meminfo': 'MemTotal: 131072000 kB\nMemAvailable: 120000000 kB',
  '/proc/sys/kernel/osrelease': '6.16.3-76061603-generic',
  '/proc/sys/kernel/numa_balancing': '1',
  '/sys/devices/pci0000:00/0000:c4:00.0/vendor': '0x1002',
  '/sys/devices/pci0000:00/0000:c4:00.0/device': '0x1586',
  '/sys/devices/pci0000:00/0000:c4:00.0/class': '0x038000',
  '/sys/devices/pci0000:00/0000:c4:00.0/mem_info_vram_total': '536870912',
  '/sys/devices/pci0000:00/0000:c4:00.0/mem_info_vram_used': '149303040',
  '/sys/devices/pci0000:00/0000:c4:00.0/mem_info_gtt_total': '128849018880',
  '/sys/devices/pci0000:00/0000:c4:00.0/mem_info_gtt_used': '14680064',
  '/sys/devices/pci0000:00/0000:c4:00.0/gpu_busy_percent': '7',
  '/sys/devices/pci0000:00/0000:c4:00.0/hwmon/hwmon3/temp1_input': '41000',
  '/sys/devices/pci0000:00/0000:c4:00.0/hwmon/hwmon3/power1_average': '11050000',
  '/sys/bus/pci/drivers/amdgpu/uevent': '',
  '/sys/devices/pci0000:00/0000:c4:00.0/driver': '->../../../bus/pci/drivers/amdgpu',
  '/sys/bus/pci/devices/0000:c4:00.0': '->../../../devices/pci0000:00/0000:c4:00.0',
  '/sys/class/drm/card1/device': '->../../../devices/pci0000:00/0000:c4:00.0',
  '/sys/class/drm/card1-HDMI-A-1/status': 'connected',
  '/sys/class/kfd/kfd/topology/nodes/0/properties': 'cpu_cores_count 32\nsimd_count 0',
  '/sys/class/kfd/kfd/topology/nodes/1/gpu_id': '46311',
  '/sys/class/kfd/kfd/topology/nodes/1/properties':
    'simd_count 80\nsimd_per_cu 2\ngfx_target_version 110501\ndevice_id 5510\nlocation_id 50176\ndomain 0',
})

describe.skipIf(process.platform !== 'linux')('motley detect', () => {
  test('reads an AMD APU of a mounted host from files alone, both pools told apart', async () => {
    const devices = await devicesOf(motley(['detect', '--json', '--rootfs', strixHalo]))
    expect(devices).toMatchObject([
      {
        vendor: 'amd',
        index: 0,
        busId: '0000:c4:00.0',
        architecture: 'gfx1151',
        integrated: true,
        unifiedMemory: true,
        memoryBytes: 128_849_018_880,
        memory: {
          dedicated: null,
          carveOut: { totalBytes: 536_870_912, usedBytes: 149_303_040 },
          shared: { totalBytes: 128_849_018_880, usedBytes: 14_680_064 },
        },
        driverVersion: '6.16.3-76061603-generic',
        runtimes: { rocm: null },
        computeUnits: 40,
        utilizationRatio: 0.07,
        temperatureCelsius: 41,
        powerWatts: 11.05,
        schedulable: true,
        reason: null,
      },
    ])
  })

  test('counts a GPU once that files, rocm-smi and Vulkan all show', async () => {
    const tools = {
      'rocm-smi': `cat ${fixtures}amd/strix-halo-framework/rocm-smi_showproductname.json 2>/dev/null || cat ${fixtures}amd/strix-halo-framework/*.json`,
      vulkaninfo: `cat ${fixtures}vulkan/radv-gfx1151/*.txt`,
    }
    const devices = await devicesOf(motley(['detect', '--json', '--rootfs', strixHalo], { tools }))
    expect(devices).toMatchObject([
      { busId: '0000:c4:00.0', vulkanIndex: 0, runtimes: { rocm: null, vulkan: null } },
    ])
  })

  test.each([
    ['the XML', 'case "$*" in "-q -x") cat XML;; *) exit 2;; esac'],
    ['the XML, whatever it is asked', 'cat XML'],
  ])('yields an NVIDIA GPU when nvidia-smi only answers with %s', async (_, script) => {
    const tools = { 'nvidia-smi': script.replace('XML', `${fixtures}nvidia/rtx-4090/q-x.xml`) }
    const devices = await devicesOf(motley(['detect', '--json', '--rootfs', strixHalo], { tools }))
    expect(devices[0]).toMatchObject({
      name: 'NVIDIA GeForce RTX 4090',
      busId: '0000:84:00.0',
      runtimes: { cuda: '12.2' },
    })
    expect(devices).toHaveLength(2)
  })

  test('answers in time when nvidia-smi hangs, shows the GPU, and says what hung', async () => {
    const root = rootfs({
      '/sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de',
      '/sys/bus/pci/devices/0000:01:00.0/device': '0x2684',
      '/sys/bus/pci/devices/0000:01:00.0/class': '0x030000',
      '/proc/driver/nvidia/gpus/0000:01:00.0/information':
        'Model: \t\t NVIDIA GeForce RTX 4090\nGPU UUID: \t GPU-71d1acc2-662d-2166-bf9f-65272d2fc437',
      '/proc/driver/nvidia/version':
        'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.86.05  Fri Jul 14 20:46:33 UTC 2023',
    })
    const { out } = await motley(['detect', '--json', '--rootfs', root], {
      tools: { 'nvidia-smi': 'sleep 600' },
    })
    const found = inventory.parse(JSON.parse(out))
    expect(found.devices.filter(({ vendor }) => vendor !== 'cpu')).toMatchObject([
      {
        name: 'NVIDIA GeForce RTX 4090',
        busId: '0000:01:00.0',
        driverVersion: '535.86.05',
        memoryBytes: null,
        schedulable: false,
      },
    ])
    expect(found.problems).toMatchObject([{ what: expect.stringContaining('gave no answer') }])
  })

  test('tells a GPU without any driver, and how to get one', async () => {
    const root = rootfs({
      '/sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de',
      '/sys/bus/pci/devices/0000:01:00.0/device': '0x2684',
      '/sys/bus/pci/devices/0000:01:00.0/class': '0x030000',
      '/sys/bus/pci/devices/0000:01:00.1/vendor': '0x10de',
      '/sys/bus/pci/devices/0000:01:00.1/device': '0x22ba',
      '/sys/bus/pci/devices/0000:01:00.1/class': '0x040300',
    })
    const { out } = await motley(['detect', '--json', '--rootfs', root])
    const found = inventory.parse(JSON.parse(out))
    expect(found.devices.filter(({ vendor }) => vendor !== 'cpu')).toMatchObject([
      { vendor: 'nvidia', schedulable: false, reason: 'no NVIDIA driver is loaded for it' },
    ])
    expect(found.problems).toMatchObject([{ fix: expect.stringContaining('driver 580') }])
  })
})

describe.skipIf(process.platform !== 'linux')('Ctrl-C', () => {
  test.each([{ command: ['detect'] }, { command: ['doctor'] }])(
    'during $command ends a tool that hangs, with what it has started',
    async ({ command }) => {
      const place = mkdtempSync(join(folder, 'hung-'))
      const pids = join(place, 'pids')
      const hangs = `setsid sleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; echo over >> ${pids}; wait`
      writeFileSync(join(place, 'nvidia-smi'), `#!/bin/sh\n${hangs}\n`, { mode: 0o755 })
      const env = { ...process.env, PATH: [place, '/usr/bin', '/bin'].join(delimiter) }
      const child = spawn(process.execPath, [bin, ...command, '--timeout', '600'], {
        env: { ...env, MOTLEY_DATA_DIR: place },
        stdio: 'ignore',
      })
      const ended = once(child, 'exit')
      const started = () =>
        existsSync(pids) ? readFileSync(pids, 'utf8').split('\n').map(Number).filter(Boolean) : []
      await untilTrue('the tool hangs', () => started().length >= 2, { withinMs: 30_000 })
      child.kill('SIGINT')
      expect(await ended).toEqual([null, 'SIGINT'])
      const isAlive = (pid: number) => existsSync(`/proc/${pid}/stat`) && !isZombie(pid)
      await untilTrue('nothing is left', () => !started().some(isAlive), { withinMs: 30_000 })
    },
  )
})

/** Ended, and nobody has asked how yet: in a container nobody may ever do. */
function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

describe.skipIf(process.platform !== 'linux')('motley doctor and record', () => {
  test('doctor says what is wrong on a mounted host, with the command, and ends with 0 or 1', async () => {
    const { code, out } = await motley(['doctor', '--rootfs', strixHalo], {
      tools: { id: 'echo "uid=1000(alice) gid=1000(alice) groups=1000(alice),44(video)"' },
    })
    expect(code).toBe(1)
    expect(out).toContain('fix: sudo usermod -aG render,video')
    expect(out).toContain('sudo sysctl -w kernel.numa_balancing=0')
    const fine = await motley(['doctor', '--recording', join(fixtures, 'nvidia/l40s')])
    expect(fine).toMatchObject({ code: 0, out: expect.stringContaining('Nothing is wrong') })
  })

  test('what record wrote is detected again as the same machine', async () => {
    const directory = join(folder, 'recorded')
    const tools = { 'nvidia-smi': `cat ${fixtures}nvidia/tesla-t4/q-x.xml` }
    const recorded = await motley(['record', directory, '--rootfs', strixHalo], { tools })
    expect(recorded).toMatchObject({ code: 0, err: '' })
    const [live, replayed] = await Promise.all([
      devicesOf(motley(['detect', '--json', '--rootfs', strixHalo], { tools })),
      devicesOf(motley(['detect', '--json', '--recording', directory])),
    ])
    const withoutUuids = live.map((device) => ({ ...device, uuid: null }))
    expect(replayed.map((device) => ({ ...device, uuid: null }))).toEqual(withoutUuids)
    const texts = readFileSync(join(directory, 'machine.json'), 'utf8')
    expect(texts).toContain('"outcome": "missing"')
    expect(await motley(['record', directory])).toMatchObject({
      code: 2,
      err: `motley: ${directory} is not empty; name a new folder\n`,
    })
  })

  test.each([
    { directory: '/proc/motley/x', why: 'no folder can be made there' },
    { directory: '/dev/null', why: 'it is not a folder' },
    { directory: '/dev/null/x', why: 'it is not a folder' },
  ])('record says at once that nothing can be written to $directory', async (place) => {
    const { directory, why } = place
    expect(await motley(['record', directory])).toEqual({
      code: 2,
      out: '',
      err: `motley: cannot write to ${directory} (${why}): name another folder\n`,
    })
  })

  test.each([
    [
      ['detect', '--recording', folder],
      `motley: --recording ${folder}: it holds no machine.json; "motley record ${folder}" writes one\n`,
    ],
    [
      ['detect', '--rootfs', '/no/such/root'],
      "motley: --rootfs /no/such/root: there is no such folder; mount the host's root there\n",
    ],
    [
      ['detect', '--rootfs', folder],
      `motley: --rootfs ${folder}: it holds neither /proc nor /sys; mount the host's root there\n`,
    ],
    [
      ['detect', '--timeout', 'soon'],
      'motley: --timeout takes seconds, 1 to 3600, and not "soon"\n',
    ],
    [
      ['detect', '--rootfs', '/', '--recording', folder],
      'motley: a machine is mounted (--rootfs) or recorded (--recording), not both\n',
    ],
  ])('%j is wrong usage, told in one line', async (args, err) => {
    expect(await motley(args)).toEqual({ code: 2, out: '', err })
  })
})
