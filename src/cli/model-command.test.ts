/** `motley model` as a person runs it: real processes against a hub on loopback. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { seededChance } from '#std/seeded-chance.ts'
import { bytesContent, madeWeights, startTestHub, type TestHub } from '#testing/test-hub.ts'

const bin = fileURLToPath(new URL('../../bin/motley', import.meta.url))
const tiny = readFileSync(fileURLToPath(new URL('../../models/motley-tiny.gguf', import.meta.url)))
const mib = 1024 * 1024

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

interface Machine {
  readonly hub: TestHub
  readonly folder: string
  start(...args: string[]): ChildProcess
  run(...args: string[]): Promise<{ code: number | null; out: string; err: string }>
}

/** A machine with nothing on it, and a hub. */
async function machine(bigBytes = 2 * mib): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-model-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const hub = await startTestHub({
    repositories: {
      'motley/tiny-GGUF': { files: { 'tiny-Q8_0.gguf': bytesContent(tiny) } },
      'motley/big-GGUF': { files: { 'big-Q8_0.gguf': madeWeights(bigBytes, 5) } },
    },
  })
  cleanups.push(() => hub.close())
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(MOTLEY|NODE|HF|OLLAMA)_/.test(name),
  )
  const env = {
    ...Object.fromEntries(own),
    HOME: folder,
    MOTLEY_DATA_DIR: join(folder, 'data'),
    HF_ENDPOINT: hub.url,
  }
  const start = (...args: string[]) => spawn(process.execPath, [bin, ...args], { cwd: folder, env })
  return {
    hub,
    folder,
    start,
    async run(...args) {
      const child = start(...args)
      let out = ''
      let err = ''
      child.stdout?.on('data', (chunk) => (out += chunk))
      child.stderr?.on('data', (chunk) => (err += chunk))
      const [code] = await once(child, 'close')
      return { code, out, err }
    },
  }
}

test('a model is looked at, pulled, listed and deleted', async () => {
  const { run, hub } = await machine()
  const inspected = await run('model', 'inspect', 'hf:motley/tiny-GGUF:Q8_0', '--json')
  expect(JSON.parse(inspected.out)).toMatchObject({
    reference: 'hf:motley/tiny-GGUF:Q8_0',
    architecture: 'llama',
    parameterCount: 2_164_800,
    quantization: 'Q8_0',
    files: [{ path: 'tiny-Q8_0.gguf', sizeBytes: tiny.length }],
  })
  expect(hub.sentBytes).toBeLessThan(tiny.length)

  const pulled = await run('model', 'pull', 'hf:motley/tiny-GGUF:Q8_0')
  expect(pulled).toMatchObject({
    code: 0,
    out: expect.stringMatching(/is here: 2.3 MB, 2.3 MB downloaded\n\/.*\/tiny-Q8_0.gguf\n$/),
  })
  expect(pulled.err).toMatch(/^1 file, 2.3 MB\n {2}tiny-Q8_0.gguf: download, from .*, 2.3 MB\n/)
  expect(pulled.err).not.toContain('\r')

  const listed = await run('model', 'ls')
  expect(listed.out).toBe(
    'MODEL                       SIZE  PARAMS  QUANT  CONTEXT\n' +
      'hf:motley/tiny-GGUF:Q8_0  2.3 MB   2.2 M  Q8_0      1024\n',
  )
  expect(await run('model', 'rm', 'tiny-GGUF:Q8_0')).toEqual({
    code: 0,
    out: 'hf:motley/tiny-GGUF:Q8_0 is deleted; 2.3 MB are free again\n',
    err: '',
  })
  expect(await run('model', 'rm', 'tiny-GGUF:Q8_0')).toEqual({
    code: 1,
    out: '',
    err: 'motley: there is no model "tiny-GGUF:Q8_0" on this machine: "motley model pull" brings one here\n',
  })
})

test('the exit code tells a wrong name, a missing repository and an absent hub apart', async () => {
  const { run, hub } = await machine()
  expect(await run('model', 'pull', 'motley/tiny-GGUF')).toMatchObject({
    code: 2,
    err: expect.stringContaining('perhaps hf:motley/tiny-GGUF'),
  })
  expect(await run('model', 'pull', 'hf:motley/tiny-GGUF:Q2_K')).toMatchObject({ code: 1 })
  await hub.close()
  expect(await run('model', 'pull', 'hf:motley/tiny-GGUF')).toMatchObject({
    code: 3,
    err: expect.stringMatching(/refuses the connection, 4 times in a row/),
  })
})

/** Starts a pull, and resolves when so many bytes of it have been sent. */
async function startPull(each: Machine, untilBytes: number): Promise<ChildProcess> {
  const child = each.start('model', 'pull', 'hf:motley/big-GGUF')
  const ended = once(child, 'close')
  while (each.hub.sentBytes < untilBytes && child.exitCode === null) {
    await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))])
  }
  return child
}

test('Ctrl-C keeps what has come and says how to go on; the list tells it apart', async () => {
  const bytes = 256 * mib
  const each = await machine(bytes)
  const child = await startPull(each, 64 * mib)
  let err = ''
  child.stderr?.on('data', (chunk) => (err += chunk))
  child.kill('SIGINT')
  const [code] = await once(child, 'close')
  expect(code).toBe(130)
  expect(err).toContain(
    'motley: stopped; what has come is kept, and "motley model pull hf:motley/big-GGUF" goes on from there\n',
  )
  const { models, unfinished } = JSON.parse((await each.run('model', 'ls', '--json')).out)
  expect(models).toEqual([])
  expect(unfinished).toMatchObject([{ reference: 'hf:motley/big-GGUF', sizeBytes: bytes }])
  expect(unfinished[0].doneBytes).toBeGreaterThan(8 * mib)
  const freed = await each.run('model', 'rm', 'hf:motley/big-GGUF', '--json')
  expect(JSON.parse(freed.out).freedBytes).toBe(unfinished[0].doneBytes)
})

test('killed again and again, a pull still ends with the right bytes and few of them twice', async () => {
  const bytes = 256 * mib
  const each = await machine(bytes)
  const chance = seededChance(3)
  for (let kill = 0; kill < 4; kill++) {
    const untilBytes = each.hub.sentBytes + (48 + chance() * 16) * mib
    const child = await startPull(each, untilBytes)
    child.kill('SIGKILL')
    await once(child, 'close')
    const blobs = await readdir(join(each.folder, 'data', 'weights', 'blobs')).catch(() => [])
    expect(blobs).toEqual([])
  }
  const { code, out } = await each.run('model', 'pull', 'hf:motley/big-GGUF', '--json')
  expect(code).toBe(0)
  const { files, transferredBytes } = JSON.parse(out)
  expect(files[0].sizeBytes).toBe(bytes)
  // What the four left behind did not have to come again; what lay in their sockets is lost.
  expect(transferredBytes).toBeLessThan(bytes - 4 * 16 * mib)
})
