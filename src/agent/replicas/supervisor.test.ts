/** The supervisor with real processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import { isRunning, markOf } from '#agent/replicas/process-mark.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import {
  fastClock,
  freePort,
  openTestBench,
  probeTestEngine,
  type TestBench,
  until,
} from '#agent/replicas/test-engine.ts'
import { replicaId } from '#core/ids.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import { type Clock, systemClock } from '#std/clock.ts'

let bench: TestBench
let supervisor: Supervisor
const children: ChildProcess[] = []
const warnings: string[] = []
const servers: Server[] = []

beforeEach(async () => {
  bench = await openTestBench()
  warnings.length = 0
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const server of servers.splice(0)) server.close()
  for (const { id } of supervisor.list()) {
    const { pid } = status(id)
    if (pid !== null) tryKill(-pid)
  }
  await supervisor.closeAndStop()
  await bench.close()
})

async function open(clock: Clock = systemClock, logBytesMax?: number): Promise<Supervisor> {
  supervisor = await openSupervisor({
    dataDirectory: bench.directory,
    launcher: processLauncher(clock),
    probe: probeTestEngine,
    warn: (message) => warnings.push(message),
    clock,
    ...(logBytesMax === undefined ? {} : { logBytesMax }),
  })
  return supervisor
}

function status(name: string): ReplicaStatus {
  const found = supervisor.list().find(({ id }) => id === name)
  if (found === undefined) throw new Error(`no replica ${name}`)
  return found
}

const untilState = (name: string, state: ReplicaStatus['state']): Promise<void> =>
  until(`${name} is ${state}`, () => status(name).state === state)

/** Its pid, once it is ready. */
async function startReady(spec: ReplicaSpec): Promise<number> {
  await supervisor.start(spec)
  await untilState(spec.id, 'ready')
  return status(spec.id).pid as number
}

async function isAlive(pid: number): Promise<boolean> {
  return (await markOf(pid)) !== null
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

/** The pid of whoever answers on this port. */
async function answering(port: number): Promise<{ pid: number; env: Record<string, string> }> {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  return (await answer.json()) as { pid: number; env: Record<string, string> }
}

/** The processes that the engine said it consists of. */
async function family(name: string, size: number): Promise<number[]> {
  let pids: number[] = []
  await until(`${size} processes of ${name} have said their number`, async () => {
    const text = await readFile(join(bench.directory, 'replicas', `${name}.log`), 'utf8')
    pids = [...text.matchAll(/^process (\d+)$/gm)].map(([, pid]) => Number(pid))
    return pids.length >= size
  })
  return pids
}

/** Another program's listener at this port. */
/** Listens at the port. A process that was just killed may have it a moment longer than it lives. */
async function occupied(port: number): Promise<Server> {
  let server = createServer()
  await until('the port is free', () => {
    server = createServer()
    return new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
  })
  servers.push(server)
  return server
}

const recordPath = (name: string): string => join(bench.directory, 'replicas', `${name}.json`)

async function changeRecord(name: string, change: (record: never) => object): Promise<void> {
  const record = JSON.parse(await readFile(recordPath(name), 'utf8')) as never
  await writeFile(recordPath(name), JSON.stringify(change(record)))
}

test('a replica starts, loads, becomes ready and stops, and tells of each step', async () => {
  await open()
  const loading = join(bench.directory, 'loading')
  await writeFile(loading, '')
  const spec = await bench.spec('chat-0', [`loading=${loading}`])
  const story: string[] = []
  supervisor.onChange(({ id, state, pid }) =>
    story.push(`${id} ${state} ${pid === null ? 'without' : 'with'} process`),
  )
  await supervisor.start(spec)
  await untilState('chat-0', 'loading')
  await rm(loading)
  await untilState('chat-0', 'ready')
  const { pid, port, restarts, lastExit } = status('chat-0')
  expect((await answering(port)).pid).toBe(pid)
  expect({ restarts, lastExit }).toEqual({ restarts: 0, lastExit: null })
  await supervisor.stop(spec.id)
  expect(await isAlive(pid as number)).toBe(false)
  expect(status('chat-0')).toMatchObject({ state: 'stopped', pid: null, lastExit: null })
  expect(story).toEqual([
    'chat-0 starting without process',
    'chat-0 starting with process',
    'chat-0 loading with process',
    'chat-0 ready with process',
    'chat-0 stopping with process',
    'chat-0 stopped without process',
  ])
})

test('an engine that does not hear the stop is killed after its grace', async () => {
  await open()
  const spec = await bench.spec('deaf-0', ['deaf'], { stop: { signal: 'SIGTERM', graceMs: 300 } })
  const pid = await startReady(spec)
  const stopping = supervisor.stop(spec.id)
  expect(await isAlive(pid)).toBe(true)
  await stopping
  expect(await isAlive(pid)).toBe(false)
})

test('a stop ends everything that the engine has started, also what does not hear it', async () => {
  await open()
  const spec = await bench.spec('family-0', ['family'])
  await startReady(spec)
  const pids = await family('family-0', 3)
  await supervisor.stop(spec.id)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
})

test('an engine that is killed leaves nobody behind and starts again', async () => {
  await open()
  const spec = await bench.spec('family-0', ['family'])
  const first = await startReady(spec)
  const pids = await family('family-0', 3)
  process.kill(first, 'SIGKILL')
  await untilState('family-0', 'backing-off')
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  expect(status('family-0')).toMatchObject({
    pid: null,
    lastExit: { code: null, signal: 'SIGKILL', meaning: expect.stringMatching(/memory/) },
  })
  expect(status('family-0').retryInMs).toBeLessThanOrEqual(1_000)
  await untilState('family-0', 'ready')
  expect(status('family-0').restarts).toBe(1)
  expect(status('family-0').pid).not.toBe(first)
})

test('a crash loop is told with its last words and what they mean, and ends when they end', async () => {
  await open(fastClock(100))
  const crashes = join(bench.directory, 'crashes')
  await writeFile(crashes, '')
  const spec = await bench.spec(
    'crash-0',
    [`crashes=${crashes}`, 'says=key s3cret-of-this-engine'],
    {
      knownErrors: [
        { pattern: /RuntimeError: it has (\w+)/, meaning: 'The engine has $1.', fix: 'Mend it.' },
      ],
    },
  )
  const plan = { ...spec.plan, secretEnv: { ENGINE_SECRET: 's3cret-of-this-engine' } }
  await supervisor.start({ ...spec, plan })
  await untilState('crash-0', 'crash-looping')
  expect(status('crash-0').lastExit).toEqual({
    code: 3,
    signal: null,
    lastWords: ['key ***', 'Traceback (most recent call last):', 'RuntimeError: it has crashed'],
    meaning: 'The engine has crashed.',
    fix: 'Mend it.',
  })
  expect(status('crash-0').restarts).toBeGreaterThanOrEqual(4)
  await rm(crashes)
  await untilState('crash-0', 'ready')
})

test('an end that is known to be final is not tried again', async () => {
  await open()
  const said = 'says=CUDA error: CUDA driver version is insufficient for CUDA runtime version'
  const crashes = join(bench.directory, 'crashes')
  await writeFile(crashes, '')
  const spec = await bench.spec('old-driver-0', [said, `crashes=${crashes}`], {
    knownErrors: [
      {
        pattern: /CUDA driver version is insufficient/,
        meaning: 'The NVIDIA driver is older than this build of the engine needs.',
        fix: 'Install driver 570 or newer.',
        permanent: true,
      },
    ],
  })
  await supervisor.start(spec)
  await untilState('old-driver-0', 'failed')
  expect(status('old-driver-0')).toMatchObject({
    restarts: 0,
    retryInMs: null,
    lastExit: { code: 3, fix: 'Install driver 570 or newer.' },
  })
  // A person who has installed it says start.
  await rm(crashes)
  await startReady(spec)
})

test('a program that is not there is failed at once, and says so', async () => {
  await open()
  const spec = await bench.spec('none-0')
  await supervisor.start({ ...spec, plan: { ...spec.plan, command: 'no-such-engine' } })
  await untilState('none-0', 'failed')
  expect(status('none-0').lastExit).toMatchObject({
    meaning: 'no-such-engine cannot be started: there is no such program.',
    fix: expect.stringMatching(/Install it/),
  })
})

test('a port that another program has is told, and waited for', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(spec.port, '127.0.0.1', resolve))
  await supervisor.start(spec)
  await untilState('chat-0', 'backing-off')
  expect(status('chat-0').lastExit?.meaning).toBe(`Port ${spec.port} is taken by another program.`)
  await new Promise((resolve) => other.close(resolve))
  await untilState('chat-0', 'ready')
})

test('a port that another program has is left to it, and another taken that is free', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  const other = await occupied(spec.port)
  const elsewhere = await bench.spec('chat-0')
  const asked: number[] = []
  supervisor.onPortTaken(async ({ port }) => {
    asked.push(port)
    return elsewhere
  })
  await startReady(spec)
  expect([status('chat-0').port, status('chat-0').restarts, asked]).toEqual([
    elsewhere.port,
    0,
    [spec.port],
  ])
  expect(supervisor.specOf(spec.id)).toEqual(elsewhere)
  expect(other.listening).toBe(true)
  expect((await supervisor.logs(spec.id, 0)).text).toContain(
    `port ${spec.port} is taken by another program: listens at ${elsewhere.port} from now on`,
  )
})

test('a port that is taken while an agent is away is given up at the restart', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  const pid = await startReady(spec)
  await supervisor.close()
  tryKill(-pid)
  await until('the engine is gone', async () => !(await isAlive(pid)))
  await occupied(spec.port)
  await open(fastClock(10))
  await until('it has met the other program', () => status('chat-0').lastExit?.meaning != null)
  const elsewhere = await bench.spec('chat-0')
  supervisor.onPortTaken(async () => elsewhere)
  await untilState('chat-0', 'ready')
  expect(status('chat-0').port).toBe(elsewhere.port)
  expect((await answering(elsewhere.port)).pid).toBe(status('chat-0').pid)
})

test('its log can be followed while it is cut, and stays within its bounds', async () => {
  await open(fastClock(20), 256 * 1024)
  const spec = await bench.spec('chat-0', ['chatty'])
  await startReady(spec)
  let offset = (await supervisor.logs(spec.id, null)).nextOffset
  let bytes = 0
  let skippedBytes = 0
  for (let request = 0; request < 40; request++) {
    const before = offset
    await answering(spec.port)
    await until('the line is in the log', async () => {
      const page = await supervisor.logs(spec.id, offset, 1024 * 1024)
      bytes += page.text.length
      skippedBytes += page.skippedBytes
      offset = page.nextOffset
      return offset >= before + 65_536
    })
  }
  expect(skippedBytes).toBe(0)
  expect(bytes).toBeGreaterThanOrEqual(40 * 65_536)
  const { text } = await supervisor.logs(spec.id, 0, 100 * 1024 * 1024)
  expect(text.length).toBeLessThan(40 * 65_536)
})

test('an engine gets its secrets and none of ours', async () => {
  process.env['MOTLEY_TEST_KEY'] = 'ours'
  await open()
  const spec = await bench.spec('chat-0')
  const plan = { ...spec.plan, env: { A: '1' }, secretEnv: { HF_TOKEN: 'theirs' } }
  await startReady({ ...spec, plan })
  delete process.env['MOTLEY_TEST_KEY']
  const { env } = await answering(spec.port)
  expect(env).toMatchObject({ A: '1', HF_TOKEN: 'theirs' })
  expect(env).not.toHaveProperty('MOTLEY_TEST_KEY')
})

test('a supervisor that is closed leaves its engines; the next one takes them over', async () => {
  await open()
  const spec = await bench.spec('chat-0', ['family'], { about: { model: 'qwen' } })
  const pid = await startReady(spec)
  await supervisor.close()
  expect(await isAlive(pid)).toBe(true)
  await open()
  expect(status('chat-0')).toMatchObject({ state: 'ready', pid, restarts: 0, lastExit: null })
  expect(supervisor.specOf(spec.id)).toEqual(spec)
  // Asking again for what runs changes nothing.
  await supervisor.start(spec)
  expect(status('chat-0')).toMatchObject({ state: 'ready', pid })
  const pids = await family('chat-0', 3)
  await supervisor.stop(spec.id)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
})

/** A supervisor as a process of its own, so that SIGKILL is real. Prints the engine's pid. */
async function supervisingProcess(
  spec: ReplicaSpec,
): Promise<{ agent: ChildProcess; pid: number }> {
  const room = (file: string): string => new URL(file, import.meta.url).href
  const script = join(bench.directory, 'agent.mjs')
  await writeFile(
    script,
    `import { processLauncher } from '${room('engine-process.ts')}'
     import { openSupervisor } from '${room('supervisor.ts')}'
     import { probeTestEngine } from '${room('test-engine.ts')}'
     import { systemClock } from '${room('../../std/clock.ts')}'
     const supervisor = await openSupervisor({
       dataDirectory: ${JSON.stringify(bench.directory)},
       launcher: processLauncher(systemClock),
       probe: probeTestEngine,
       warn: console.error,
     })
     supervisor.onChange(({ state, pid }) => { if (state === 'ready') console.log(pid) })
     await supervisor.start(${JSON.stringify(spec)})`,
  )
  const agent = spawn(process.execPath, ['--conditions=motley-source', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(agent)
  const pid = await new Promise<number>((resolve, reject) => {
    agent.stdout?.once('data', (text) => resolve(Number(text)))
    agent.once('exit', () => reject(new Error('the agent has ended')))
  })
  return { agent, pid }
}

async function kill9(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

test('an agent that is killed comes back to its running replica, and watches it as before', async () => {
  const spec = await bench.spec('chat-0', ['family'])
  const { agent, pid } = await supervisingProcess(spec)
  await kill9(agent)
  expect((await answering(spec.port)).pid).toBe(pid)
  await open()
  expect(status('chat-0')).toMatchObject({ pid, restarts: 0, lastExit: null })
  await untilState('chat-0', 'ready')
  const pids = await family('chat-0', 3)
  // Not our child: nobody tells us of its end.
  process.kill(pid, 'SIGKILL')
  await until('it was started again', () => status('chat-0').restarts === 1)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  await untilState('chat-0', 'ready')
  expect(status('chat-0').lastExit).toMatchObject({ code: null, signal: null })
})

test('an engine that ended while no agent was there counts as ended and starts again', async () => {
  const spec = await bench.spec('chat-0', ['family'])
  const { agent, pid } = await supervisingProcess(spec)
  const pids = await family('chat-0', 3)
  await kill9(agent)
  process.kill(pid, 'SIGKILL')
  await until('it is gone', async () => !(await isAlive(pid)))
  await open()
  expect(status('chat-0')).toMatchObject({ state: 'backing-off', lastExit: { signal: null } })
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  await untilState('chat-0', 'ready')
})

// Other systems do not show the environment of a process.
test.runIf(process.platform === 'linux')(
  'an engine started just before the agent died is found',
  async () => {
    await open()
    const spec = await bench.spec('chat-0')
    const pid = await startReady(spec)
    await supervisor.close()
    // As it was written down before the start; what came after was lost.
    await changeRecord('chat-0', (record: { machine: object }) => ({
      ...record,
      mark: null,
      machine: { ...record.machine, state: 'starting', process: 'launching', readyAtMs: null },
    }))
    await open()
    expect(status('chat-0')).toMatchObject({ pid, restarts: 0, lastExit: null })
    await untilState('chat-0', 'ready')
    expect((await answering(spec.port)).pid).toBe(pid)
  },
)

test('a process that has got the number of a dead engine is left alone', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  const pid = await startReady(spec)
  await supervisor.close()
  process.kill(pid, 'SIGKILL')
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: true,
  })
  children.push(bystander)
  const mark = await markOf(bystander.pid as number)
  await changeRecord('chat-0', (record: { mark: object }) => ({
    ...record,
    mark: { ...record.mark, pid: bystander.pid },
  }))
  await open()
  expect(status('chat-0').state).toBe('backing-off')
  await supervisor.stop(spec.id)
  expect(mark !== null && (await isRunning(mark))).toBe(true)
})

test('a stop that the agent could not finish is finished by the next one', async () => {
  await open()
  const spec = await bench.spec('deaf-0', ['deaf'], { stop: { signal: 'SIGTERM', graceMs: 1_000 } })
  const pid = await startReady(spec)
  const stopping = expect(supervisor.stop(spec.id)).rejects.toThrow('the next supervisor')
  await until('it stops', () => status('deaf-0').state === 'stopping')
  await supervisor.close()
  await stopping
  expect(await isAlive(pid)).toBe(true)
  await open()
  expect(status('deaf-0')).toMatchObject({ state: 'stopping', pid })
  await untilState('deaf-0', 'stopped')
  expect(await isAlive(pid)).toBe(false)
})

test('a stop that was written down but never sent is sent by the next one', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  await startReady(spec)
  await supervisor.close()
  await changeRecord('chat-0', (record: { machine: object }) => ({
    ...record,
    machine: { ...record.machine, state: 'stopping', dueAtMs: systemClock.nowMs() + 60_000 },
  }))
  await open()
  await untilState('chat-0', 'stopped')
})

test('records and logs, which hold secrets and prompts, are for the agent alone', async () => {
  await open()
  await startReady(await bench.spec('chat-0'))
  const directory = join(bench.directory, 'replicas')
  const modes = await Promise.all(
    ['', 'chat-0.json', 'chat-0.log'].map(async (name) => (await stat(join(directory, name))).mode),
  )
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o600, 0o600])
})

test('two supervisors of one folder are refused', async () => {
  await open()
  const first = supervisor
  await expect(open()).rejects.toThrow(`Process ${process.pid} supervises the replicas`)
  supervisor = first
})

test('what cannot be supervised is refused in one sentence', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  const { plan } = spec
  await expect(supervisor.start({ ...spec, id: replicaId('../x') })).rejects.toThrow('"../x"')
  await expect(supervisor.start({ ...spec, port: 0 })).rejects.toThrow('from 1 to 65535')
  await expect(supervisor.stop(spec.id)).rejects.toThrow('no replica chat-0')
  await startReady(spec)
  const other = { ...spec, plan: { ...plan, args: [...plan.args, 'chatty'] } }
  await expect(supervisor.start(other)).rejects.toThrow('with another plan')
  await expect(supervisor.forget(spec.id)).rejects.toThrow('is ready; stop it first')
  await supervisor.stop(spec.id)
  await startReady(other)
  await supervisor.stop(spec.id)
  await supervisor.forget(spec.id)
  expect(supervisor.list()).toEqual([])
  await expect(readFile(recordPath('chat-0'))).rejects.toThrow('ENOENT')
})

test('a record that cannot be read is told of and left alone', async () => {
  await open()
  await supervisor.close()
  await writeFile(recordPath('broken'), '{"version": 1')
  await open()
  expect(supervisor.list()).toEqual([])
  expect(warnings).toEqual([expect.stringMatching(/broken\.json is not a replica's record/)])
  expect(await readFile(recordPath('broken'), 'utf8')).toBe('{"version": 1')
})

test('stop and start in any order end as the last one said', async () => {
  await open()
  const spec = await bench.spec('chat-0')
  await supervisor.start(spec)
  const stopped = supervisor.stop(spec.id)
  await supervisor.start(spec)
  await stopped
  await untilState('chat-0', 'ready')
  void supervisor.start(spec)
  await supervisor.stop(spec.id)
  expect(status('chat-0')).toMatchObject({ state: 'stopped', pid: null })
  await expect(answering(spec.port)).rejects.toThrow()
})

test('the embedded engine is supervised like any other', async () => {
  await open()
  const root = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  const port = await freePort()
  await supervisor.start({
    ...(await bench.spec('tiny-0')),
    port,
    plan: {
      command: process.execPath,
      args: [
        '--conditions=motley-source',
        root('src/embedded/main.ts'),
        ...['--model', root('models/motley-tiny.gguf'), '--port', String(port), '--threads', '1'],
      ],
      env: {},
      secretEnv: { MOTLEY_EMBEDDED_KEY: 'a-key-of-this-test' },
      container: null,
    },
  })
  await untilState('tiny-0', 'ready')
  const answer = await fetch(`http://127.0.0.1:${port}/v1/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer a-key-of-this-test', 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'motley-tiny', prompt: 'Hello', max_tokens: 4 }),
  })
  expect(answer.status).toBe(200)
  expect((await supervisor.logs(replicaId('tiny-0'), 0)).text).toContain('"ready":true')
  await supervisor.stop(replicaId('tiny-0'))
  expect(status('tiny-0').lastExit).toBeNull()
})
