/** Containers: the words for the runtime, and a life under a runtime that really runs a process. */
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runArguments } from '#agent/replicas/container-command.ts'
import { containerLauncher } from '#agent/replicas/engine-container.ts'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import type { ContainerPlan, LaunchPlan } from '#agent/replicas/launch-plan.ts'
import { markOf } from '#agent/replicas/process-mark.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import {
  openTestBench,
  probeTestEngine,
  type TestBench,
  until,
} from '#agent/replicas/test-engine.ts'
import { replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import { systemClock } from '#std/clock.ts'

const bare: ContainerPlan = {
  image: 'engine:1',
  devices: [],
  gpus: null,
  groups: [],
  ipc: null,
  shmBytes: null,
  mounts: [],
  network: { hostAddress: '127.0.0.1', hostPort: 8001, containerPort: 8000 },
  capAdd: [],
  securityOptions: [],
  ulimits: {},
  runtime: null,
}

/** One option and its value a line. */
function inLines(container: ContainerPlan, plan: Partial<LaunchPlan> = {}): string {
  const whole = { command: 'vllm', args: ['serve', '/w'], env: {}, container, ...plan }
  return runArguments(replicaId('chat-0'), whole, container).join(' ').replaceAll(' --', '\n--')
}

test('a container on NVIDIA GPUs', () => {
  const container = {
    ...bare,
    gpus: ['GPU-1', 'GPU-2'],
    ipc: 'host' as const,
    ulimits: { memlock: -1 },
    mounts: [
      { source: '/models/qwen', target: '/models/qwen', readOnly: true },
      { source: '/cache', target: '/root/.cache/vllm', readOnly: false },
    ],
    runtime: 'nvidia',
  }
  const plan = { env: { HF_HUB_OFFLINE: '1' }, secretEnv: { VLLM_API_KEY: 'never shown' } }
  expect(inLines(container, plan)).toMatchInlineSnapshot(`
    "run
    --rm
    --name motley-chat-0
    --label motley.replica=chat-0
    --runtime nvidia
    --gpus "device=GPU-1,GPU-2"
    --ipc host
    --ulimit memlock=-1
    --publish 127.0.0.1:8001:8000
    --volume /models/qwen:/models/qwen:ro
    --volume /cache:/root/.cache/vllm
    --env HF_HUB_OFFLINE=1
    --env VLLM_API_KEY
    --entrypoint vllm engine:1 serve /w"
  `)
})

test('a container on AMD GPUs, with the entry point of its image', () => {
  const container = {
    ...bare,
    devices: ['/dev/kfd', '/dev/dri'],
    groups: ['44', '109'],
    shmBytes: 17_179_869_184,
    capAdd: ['SYS_PTRACE'],
    securityOptions: ['seccomp=unconfined'],
  }
  expect(inLines(container, { command: '' })).toMatchInlineSnapshot(`
    "run
    --rm
    --name motley-chat-0
    --label motley.replica=chat-0
    --device /dev/kfd
    --device /dev/dri
    --group-add 44
    --group-add 109
    --shm-size 17179869184
    --cap-add SYS_PTRACE
    --security-opt seccomp=unconfined
    --publish 127.0.0.1:8001:8000 engine:1 serve /w"
  `)
})

/**
 * A container runtime that runs each container as a process group: it outlives its client, is told
 * what to do by its name, and is gone from the list when it has ended.
 */
const fakeDocker = `
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const folder = path.join(__dirname, 'containers')
const [command, ...words] = process.argv.slice(2)
fs.appendFileSync(path.join(__dirname, 'commands'), process.argv.slice(2).join(' ') + '\\n')
const fail = (text, code = 1) => { process.stderr.write(text + '\\n'); process.exit(code) }
const fileOf = (name) => path.join(folder, name)
const pidOf = (name) => {
  try { return Number(fs.readFileSync(fileOf(name), 'utf8')) } catch { return null }
}
const signal = (pid, name) => { try { process.kill(-pid, name); return true } catch { return false } }
const numbers = require('node:os').constants.signals
const whenGone = (pid, then) => {
  if (signal(pid, 0)) setTimeout(whenGone, 10, pid, then)
  else then()
}
if (command === 'run') {
  const options = {}
  const env = { PATH: process.env.PATH }
  let at = 0
  for (; words[at].startsWith('--'); at++) {
    if (words[at] === '--rm') continue
    const [flag, value] = [words[at], words[++at]]
    if (!/^--(name|label|publish|env|entrypoint)$/.test(flag)) fail('unknown flag: ' + flag, 125)
    options[flag] = value
    if (flag !== '--env') continue
    const [name, ...rest] = value.split('=')
    env[name] = rest.length > 0 ? rest.join('=') : process.env[name]
  }
  const image = words[at]
  if (image === 'no-gpu') fail('docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].', 125)
  const name = options['--name']
  if (pidOf(name) !== null) fail('Conflict. The container name "/' + name + '" is already in use', 125)
  const child = spawn(options['--entrypoint'], words.slice(at + 1), { env, stdio: 'inherit', detached: true })
  fs.writeFileSync(fileOf(name), String(child.pid))
  process.on('SIGTERM', () => signal(child.pid, 'SIGTERM'))
  child.on('exit', (code, by) => {
    fs.rmSync(fileOf(name), { force: true })
    process.exit(code ?? 128 + numbers[by])
  })
} else if (command === 'attach') {
  const pid = pidOf(words.at(-1)) ?? fail('No such container')
  whenGone(pid, () => { fs.rmSync(fileOf(words.at(-1)), { force: true }); process.exit(0) })
} else if (command === 'kill') {
  const pid = pidOf(words.at(-1)) ?? fail('No such container')
  if (!signal(pid, words[1])) fail('is not running')
} else if (command === 'rm') {
  const pid = pidOf(words.at(-1)) ?? fail('No such container')
  signal(pid, 'SIGKILL')
  whenGone(pid, () => fs.rmSync(fileOf(words.at(-1)), { force: true }))
} else if (command === 'container') {
  const pid = pidOf(words.at(-1)) ?? fail('No such container')
  console.log(String(signal(pid, 0)))
} else fail('unknown command: ' + command)
`

let bench: TestBench
let supervisor: Supervisor
const path = process.env['PATH']

beforeEach(async () => {
  bench = await openTestBench()
  await mkdir(join(bench.directory, 'containers'))
  const docker = join(bench.directory, 'docker')
  await writeFile(docker, `#!${process.execPath}\n${fakeDocker}`)
  await chmod(docker, 0o755)
  process.env['PATH'] = `${bench.directory}:${path}`
  await open()
})

afterEach(async () => {
  await supervisor.closeAndStop()
  process.env['PATH'] = path
  await bench.close()
})

async function open(): Promise<void> {
  supervisor = await openSupervisor({
    dataDirectory: bench.directory,
    launcher: containerLauncher(processLauncher(systemClock), 'docker'),
    probe: probeTestEngine,
    warn: (message) => {
      throw new Error(message)
    },
  })
}

/** The test engine, in a container. */
async function inContainer(
  words: readonly string[] = [],
  image = 'engine:1',
): Promise<ReplicaSpec> {
  const spec = await bench.spec('chat-0', words, { stop: { signal: 'SIGTERM', graceMs: 1_000 } })
  const network = { hostAddress: '127.0.0.1', hostPort: spec.port, containerPort: spec.port }
  const plan = {
    ...spec.plan,
    env: { A: '1' },
    secretEnv: { HF_TOKEN: 's3cret-of-the-hub' },
    container: { ...bare, image, network },
  }
  return { ...spec, plan }
}

function status(): ReplicaStatus {
  const [found] = supervisor.list()
  if (found === undefined) throw new Error('there is no replica')
  return found
}

const untilState = (state: ReplicaStatus['state']): Promise<void> =>
  until(`it is ${state}`, () => status().state === state)

/** The engine in the container, which is no child of ours. */
async function engine({ port }: ReplicaSpec): Promise<{ pid: number; env: object }> {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  return (await answer.json()) as { pid: number; env: object }
}

const isAlive = async (pid: number): Promise<boolean> => (await markOf(pid)) !== null
const containers = (): Promise<string[]> => readdir(join(bench.directory, 'containers'))
const commands = (): Promise<string> => readFile(join(bench.directory, 'commands'), 'utf8')

test('a replica runs in a container, and nothing of it is left after a stop', async () => {
  const spec = await inContainer()
  await supervisor.start(spec)
  await untilState('ready')
  const { pid, env } = await engine(spec)
  expect(await containers()).toEqual(['motley-chat-0'])
  expect(env).toMatchObject({ A: '1', HF_TOKEN: 's3cret-of-the-hub' })
  expect(await commands()).not.toContain('s3cret')
  await supervisor.stop(spec.id)
  expect(await isAlive(pid)).toBe(false)
  expect(await containers()).toEqual([])
  expect(status()).toMatchObject({ state: 'stopped', lastExit: null })
})

test('a container that does not hear the stop is killed', async () => {
  const spec = await inContainer(['deaf'])
  await supervisor.start(spec)
  await untilState('ready')
  const { pid } = await engine(spec)
  await supervisor.stop(spec.id)
  expect(await isAlive(pid)).toBe(false)
  expect(await containers()).toEqual([])
  expect(await commands()).toMatch(/kill --signal SIGTERM.*\n(.*\n)*kill --signal SIGKILL/)
})

test('an engine that is killed in its container starts again in a new one', async () => {
  const spec = await inContainer()
  await supervisor.start(spec)
  await untilState('ready')
  const { pid } = await engine(spec)
  process.kill(pid, 'SIGKILL')
  await untilState('backing-off')
  expect(status().lastExit).toMatchObject({ code: 137, meaning: expect.stringMatching(/memory/) })
  await untilState('ready')
  expect((await engine(spec)).pid).not.toBe(pid)
})

test('a container whose client was killed does not run beside the next one', async () => {
  const spec = await inContainer()
  await supervisor.start(spec)
  await untilState('ready')
  const { pid } = await engine(spec)
  process.kill(status().pid as number, 'SIGKILL')
  await untilState('backing-off')
  expect(await isAlive(pid)).toBe(false)
  await untilState('ready')
  expect(await containers()).toEqual(['motley-chat-0'])
  expect(status().restarts).toBe(1)
})

test('a container that outlived the agent and its client is taken over', async () => {
  const spec = await inContainer()
  await supervisor.start(spec)
  await untilState('ready')
  const { pid } = await engine(spec)
  const client = status().pid as number
  await supervisor.close()
  // As a service manager does that ends all processes of the agent.
  process.kill(client, 'SIGKILL')
  await until('the client is gone', async () => !(await isAlive(client)))
  await open()
  expect(status()).toMatchObject({ restarts: 0, lastExit: null })
  await untilState('ready')
  expect((await engine(spec)).pid).toBe(pid)
  expect(status().pid).not.toBe(client)
  await supervisor.stop(spec.id)
  expect(await isAlive(pid)).toBe(false)
  expect(await containers()).toEqual([])
})

test('a client that runs when the agent comes back is taken over as it is', async () => {
  const spec = await inContainer()
  await supervisor.start(spec)
  await untilState('ready')
  const before = status().pid
  await supervisor.close()
  await open()
  expect(status()).toMatchObject({ state: 'ready', pid: before })
})

test('what the runtime says is understood', async () => {
  await supervisor.start(await inContainer([], 'no-gpu'))
  await untilState('failed')
  expect(status().lastExit).toMatchObject({
    code: 125,
    meaning: 'The container runtime cannot hand out the GPUs of this machine.',
  })
})

test('a container that would listen beyond this machine is refused', async () => {
  const spec = await inContainer()
  const network = { hostAddress: '0.0.0.0', hostPort: spec.port, containerPort: 8000 }
  const plan = { ...spec.plan, container: { ...bare, network } }
  await expect(supervisor.start({ ...spec, plan })).rejects.toThrow('loopback only')
})
