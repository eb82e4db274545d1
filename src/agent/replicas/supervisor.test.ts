import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fastClock, freePort, openTestBench, until } from '#agent/replicas/test-engine.ts'
import { answering, isAlive, SupervisorWorld, tryKill } from '#agent/replicas/test-supervisor.ts'
import { replicaId } from '#core/ids.ts'

let world: SupervisorWorld
beforeEach(async () => {
  world = new SupervisorWorld(await openTestBench())
})
afterEach(() => world.close())

test('a replica starts, loads, becomes ready and stops, and tells of each step', async () => {
  await world.open()
  const loading = join(world.bench.directory, 'loading')
  await writeFile(loading, '')
  const spec = await world.bench.spec('chat-0', [`loading=${loading}`])
  const story: string[] = []
  world.supervisor.onChange(({ id, state, pid }) =>
    story.push(`${id} ${state} ${pid === null ? 'without' : 'with'} process`),
  )
  await world.supervisor.start(spec)
  await world.untilState('chat-0', 'loading')
  await rm(loading)
  await world.untilState('chat-0', 'ready')
  const { pid, port, restarts, lastExit } = world.status('chat-0')
  expect((await answering(port)).pid).toBe(pid)
  expect({ restarts, lastExit }).toEqual({ restarts: 0, lastExit: null })
  await world.supervisor.stop(spec.id)
  expect(await isAlive(pid as number)).toBe(false)
  expect(world.status('chat-0')).toMatchObject({ state: 'stopped', pid: null, lastExit: null })
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
  await world.open()
  const spec = await world.bench.spec('deaf-0', ['deaf'], {
    stop: { signal: 'SIGTERM', graceMs: 300 },
  })
  const pid = await world.startReady(spec)
  const stopping = world.supervisor.stop(spec.id)
  expect(await isAlive(pid)).toBe(true)
  await stopping
  expect(await isAlive(pid)).toBe(false)
})

test('a stop ends everything that the engine has started, also what does not hear it', async () => {
  await world.open()
  const spec = await world.bench.spec('family-0', ['family'])
  await world.startReady(spec)
  const pids = await world.family('family-0', 3)
  await world.supervisor.stop(spec.id)
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
})

test('an engine that is killed leaves nobody behind and starts again', async () => {
  await world.open()
  const spec = await world.bench.spec('family-0', ['family'])
  const first = await world.startReady(spec)
  const pids = await world.family('family-0', 3)
  process.kill(first, 'SIGKILL')
  await world.untilState('family-0', 'backing-off')
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false])
  expect(world.status('family-0')).toMatchObject({
    pid: null,
    lastExit: { code: null, signal: 'SIGKILL', meaning: expect.stringMatching(/memory/) },
  })
  expect(world.status('family-0').retryInMs).toBeLessThanOrEqual(1_000)
  await world.untilState('family-0', 'ready')
  expect(world.status('family-0')).toMatchObject({ restarts: 1, lastExit: { signal: 'SIGKILL' } })
  expect(world.status('family-0').pid).not.toBe(first)
})

test('a crash loop is told with its last words and what they mean, and ends when they end', async () => {
  await world.open(fastClock(30))
  const crashes = join(world.bench.directory, 'crashes')
  await writeFile(crashes, '')
  const spec = await world.bench.spec(
    'crash-0',
    [`crashes=${crashes}`, 'says=key s3cret-of-this-engine'],
    {
      knownErrors: [
        { pattern: /RuntimeError: it has (\w+)/, meaning: 'The engine has $1.', fix: 'Mend it.' },
      ],
    },
  )
  const plan = { ...spec.plan, secretEnv: { ENGINE_SECRET: 's3cret-of-this-engine' } }
  await world.supervisor.start({ ...spec, plan })
  await world.untilState('crash-0', 'crash-looping')
  expect(world.status('crash-0').lastExit).toEqual({
    atMs: expect.any(Number),
    code: 3,
    signal: null,
    lastWords: ['key ***', 'Traceback (most recent call last):', 'RuntimeError: it has crashed'],
    meaning: 'The engine has crashed.',
    fix: 'Mend it.',
  })
  expect(world.status('crash-0').restarts).toBeGreaterThanOrEqual(4)
  await rm(crashes)
  await world.untilState('crash-0', 'ready')
})

test('an end that is known to be final is not tried again', async () => {
  await world.open()
  const said = 'says=CUDA error: CUDA driver version is insufficient for CUDA runtime version'
  const crashes = join(world.bench.directory, 'crashes')
  await writeFile(crashes, '')
  const spec = await world.bench.spec('old-driver-0', [said, `crashes=${crashes}`], {
    knownErrors: [
      {
        pattern: /CUDA driver version is insufficient/,
        meaning: 'The NVIDIA driver is older than this build of the engine needs.',
        fix: 'Install driver 570 or newer.',
        permanent: true,
      },
    ],
  })
  await world.supervisor.start(spec)
  await world.untilState('old-driver-0', 'failed')
  expect(world.status('old-driver-0')).toMatchObject({
    restarts: 0,
    retryInMs: null,
    lastExit: { code: 3, fix: 'Install driver 570 or newer.' },
  })
  // A person who has installed it says start.
  await rm(crashes)
  await world.startReady(spec)
})

test('a program that is not there is failed at once, and says so', async () => {
  await world.open()
  const spec = await world.bench.spec('none-0')
  await world.supervisor.start({ ...spec, plan: { ...spec.plan, command: 'no-such-engine' } })
  await world.untilState('none-0', 'failed')
  expect(world.status('none-0').lastExit).toMatchObject({
    meaning: 'no-such-engine cannot be started: there is no such program.',
    fix: expect.stringMatching(/Install it/),
  })
})

test('a port that another program has is told, and waited for', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(spec.port, '127.0.0.1', resolve))
  await world.supervisor.start(spec)
  await world.untilState('chat-0', 'backing-off')
  expect(world.status('chat-0').lastExit?.meaning).toBe(
    `Port ${spec.port} is taken by another program.`,
  )
  await new Promise((resolve) => other.close(resolve))
  await world.untilState('chat-0', 'ready')
})

test('a port that another program has is left to it, and another taken that is free', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const other = await world.occupied(spec.port)
  const elsewhere = await world.bench.spec('chat-0')
  const asked: number[] = []
  world.supervisor.onPortTaken(async ({ port }) => {
    asked.push(port)
    return elsewhere
  })
  await world.startReady(spec)
  expect([world.status('chat-0').port, world.status('chat-0').restarts, asked]).toEqual([
    elsewhere.port,
    0,
    [spec.port],
  ])
  expect(world.supervisor.specOf(spec.id)).toEqual(elsewhere)
  expect(other.listening).toBe(true)
  expect((await world.supervisor.logs(spec.id, 0)).text).toContain(
    `port ${spec.port} is taken by another program: listens at ${elsewhere.port} from now on`,
  )
})

test('a port that is taken while an agent is away is given up at the restart', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const pid = await world.startReady(spec)
  await world.supervisor.close()
  tryKill(-pid)
  await until('the engine is gone', async () => !(await isAlive(pid)))
  await world.occupied(spec.port)
  await world.open(fastClock(10))
  await until(
    'it has met the other program',
    () => world.status('chat-0').lastExit?.meaning != null,
  )
  const elsewhere = await world.bench.spec('chat-0')
  world.supervisor.onPortTaken(async () => elsewhere)
  await world.untilState('chat-0', 'ready')
  expect(world.status('chat-0').port).toBe(elsewhere.port)
  expect((await answering(elsewhere.port)).pid).toBe(world.status('chat-0').pid)
})

test('its log can be followed while it is cut, and stays within its bounds', async () => {
  await world.open(fastClock(20), 256 * 1024)
  const spec = await world.bench.spec('chat-0', ['chatty'])
  await world.startReady(spec)
  let offset = (await world.supervisor.logs(spec.id, null)).nextOffset
  let bytes = 0
  let skippedBytes = 0
  for (let request = 0; request < 40; request++) {
    const before = offset
    await answering(spec.port)
    await until('the line is in the log', async () => {
      const page = await world.supervisor.logs(spec.id, offset, 1024 * 1024)
      bytes += page.text.length
      skippedBytes += page.skippedBytes
      offset = page.nextOffset
      return offset >= before + 65_536
    })
  }
  expect(skippedBytes).toBe(0)
  expect(bytes).toBeGreaterThanOrEqual(40 * 65_536)
  const { text } = await world.supervisor.logs(spec.id, 0, 100 * 1024 * 1024)
  expect(text.length).toBeLessThan(40 * 65_536)
})

test('an engine gets its secrets and none of ours', async () => {
  process.env['MOTLEY_TEST_KEY'] = 'ours'
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const plan = { ...spec.plan, env: { A: '1' }, secretEnv: { HF_TOKEN: 'theirs' } }
  await world.startReady({ ...spec, plan })
  delete process.env['MOTLEY_TEST_KEY']
  const { env } = await answering(spec.port)
  expect(env).toMatchObject({ A: '1', HF_TOKEN: 'theirs' })
  expect(env).not.toHaveProperty('MOTLEY_TEST_KEY')
})

test('records and logs, which hold secrets and prompts, are for the agent alone', async () => {
  await world.open()
  await world.startReady(await world.bench.spec('chat-0'))
  const directory = join(world.bench.directory, 'replicas')
  const modes = await Promise.all(
    ['', 'chat-0.json', 'chat-0.log'].map(async (name) => (await stat(join(directory, name))).mode),
  )
  expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o600, 0o600])
})

test('two supervisors of one folder are refused', async () => {
  await world.open()
  await expect(world.open()).rejects.toThrow(
    `This machine is a node already: process ${process.pid} keeps`,
  )
})

test('what cannot be supervised is refused in one sentence', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  const { plan } = spec
  await expect(world.supervisor.start({ ...spec, id: replicaId('../x') })).rejects.toThrow('"../x"')
  await expect(world.supervisor.start({ ...spec, port: 0 })).rejects.toThrow('from 1 to 65535')
  await expect(world.supervisor.stop(spec.id)).rejects.toThrow('no replica chat-0')
  await world.startReady(spec)
  const other = { ...spec, plan: { ...plan, args: [...plan.args, 'chatty'] } }
  await expect(world.supervisor.start(other)).rejects.toThrow('with another plan')
  await expect(world.supervisor.forget(spec.id)).rejects.toThrow('is ready; stop it first')
  await world.supervisor.stop(spec.id)
  await world.startReady(other)
  await world.supervisor.stop(spec.id)
  await world.supervisor.forget(spec.id)
  expect(world.supervisor.list()).toEqual([])
  await expect(readFile(world.recordPath('chat-0'))).rejects.toThrow('ENOENT')
})

test('a record that cannot be read is told of and left alone', async () => {
  await world.open()
  await world.supervisor.close()
  await writeFile(world.recordPath('broken'), '{"version": 1')
  await world.open()
  expect(world.supervisor.list()).toEqual([])
  expect(world.warnings).toEqual([expect.stringMatching(/broken\.json is not a replica's record/)])
  expect(await readFile(world.recordPath('broken'), 'utf8')).toBe('{"version": 1')
})

test('stop and start in any order end as the last one said', async () => {
  await world.open()
  const spec = await world.bench.spec('chat-0')
  await world.supervisor.start(spec)
  const stopped = world.supervisor.stop(spec.id)
  await world.supervisor.start(spec)
  await stopped
  await world.untilState('chat-0', 'ready')
  void world.supervisor.start(spec)
  await world.supervisor.stop(spec.id)
  expect(world.status('chat-0')).toMatchObject({ state: 'stopped', pid: null })
  await expect(answering(spec.port)).rejects.toThrow()
})

test('the embedded engine is supervised like any other', async () => {
  await world.open()
  const root = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  const port = await freePort()
  await world.supervisor.start({
    ...(await world.bench.spec('tiny-0')),
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
  await world.untilState('tiny-0', 'ready')
  const answer = await fetch(`http://127.0.0.1:${port}/v1/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer a-key-of-this-test', 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'motley-tiny', prompt: 'Hello', max_tokens: 4 }),
  })
  expect(answer.status).toBe(200)
  expect((await world.supervisor.logs(replicaId('tiny-0'), 0)).text).toContain('"ready":true')
  await world.supervisor.stop(replicaId('tiny-0'))
  expect(world.status('tiny-0').lastExit).toBeNull()
})
