import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import {
  backOffMs,
  ChildStartError,
  type SupervisedChild,
  superviseChild,
} from '#cli/child-process.ts'

const program = fileURLToPath(new URL('../../fixtures/cli/engine.mjs', import.meta.url))
const running: SupervisedChild[] = []
const lines: string[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => child.stop()))
  lines.length = 0
})

async function start(kind: string, restartMs = 0): Promise<SupervisedChild> {
  const child = await superviseChild({
    name: 'the engine',
    program,
    args: (port) => [kind, String(port)],
    restartMs: () => restartMs,
    log: (line) => lines.push(line),
  })
  running.push(child)
  return child
}

async function answeringPid(child: SupervisedChild): Promise<number> {
  return Number(await (await fetch(child.url)).text())
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('an engine that is killed starts again, on the same port', async () => {
  const child = await start('well')
  const { url } = child
  const first = await answeringPid(child)
  child.kill()
  await vi.waitFor(() => expect(lines).toContain('the engine runs again'), 30_000)
  expect(child.url).toBe(url)
  expect(await answeringPid(child)).not.toBe(first)
  expect(lines[0]).toBe('the engine has ended (SIGKILL); it starts again in 0 s')
})

test('one that waits can be started at once', async () => {
  const child = await start('well', 3_600_000)
  child.kill()
  await vi.waitFor(() => expect(child.pid).toBeNull(), 30_000)
  child.startNow()
  await vi.waitFor(() => expect(lines).toContain('the engine runs again'), 30_000)
  expect(await answeringPid(child)).toBe(child.pid)
})

test('one that cannot start is told in its own words and not tried again', async () => {
  await expect(start('fails')).rejects.toThrow(
    new ChildStartError('the model file is no GGUF file'),
  )
  expect(lines).toEqual([])
})

test('one that a restart cannot mend is given up, with its last words', async () => {
  const child = await start('hopeless')
  expect(await child.gaveUp).toBe('the model file is cut off')
  child.startNow()
  expect(child.pid).toBeNull()
  expect(lines).toEqual([])
})

test('one that is retired runs on, and its end is neither mended nor told', async () => {
  const child = await start('well')
  child.retire()
  expect(await answeringPid(child)).toBe(child.pid)
  child.kill()
  await vi.waitFor(() => expect(child.pid).toBeNull(), 30_000)
  child.startNow()
  expect(child.pid).toBeNull()
  expect(lines).toEqual([])
})

test('stop() ends an engine, also one that does not listen to SIGTERM', async () => {
  for (const kind of ['well', 'deaf']) {
    const child = await start(kind)
    const { pid } = child
    await child.stop()
    expect(isAlive(pid ?? 0)).toBe(false)
  }
})

test('an engine that is waiting to start again does not start after stop()', async () => {
  const child = await start('well', 3_600_000)
  child.kill()
  await vi.waitFor(() => expect(child.pid).toBeNull(), 30_000)
  await child.stop()
  child.startNow()
  expect(child.pid).toBeNull()
})

test('restarts come after 0.5 s, twice as late each time, and at least every 30 s', () => {
  expect([1, 2, 3, 4, 7, 20].map(backOffMs)).toEqual([500, 1000, 2000, 4000, 30_000, 30_000])
})
