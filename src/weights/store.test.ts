import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { tryLock } from '#weights/lock.ts'
import { openStore, type StoredModel, type WeightsStore } from '#weights/store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-store-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function emptyStore(): Promise<WeightsStore> {
  return openStore(join(await folderOf(), 'weights'))
}

async function addModel(
  store: WeightsStore,
  reference: string,
  texts: Readonly<Record<string, string>>,
): Promise<StoredModel> {
  const files = []
  for (const [path, text] of Object.entries(texts)) {
    const sha256 = createHash('sha256').update(text).digest('hex')
    mkdirSync(store.directory, { recursive: true })
    writeFileSync(join(store.directory, 'new'), text)
    await store.addBlob(join(store.directory, 'new'), sha256)
    files.push({ path, sha256, sizeBytes: text.length })
  }
  const model = { reference, version: null, pulledMs: 0, files }
  await store.addModel(model)
  return model
}

test('a content that two models have is kept until the second is deleted', async () => {
  const store = await emptyStore()
  const one = await addModel(store, 'hf:a/one', { 'config.json': 'same', 'x.gguf': 'first' })
  const two = await addModel(store, 'hf:a/two', { 'config.json': 'same', 'deep/y.gguf': 'other' })
  const blobs = () => readdir(join(store.directory, 'blobs'))
  expect(await blobs()).toHaveLength(3)
  expect(readFileSync(join(store.modelFolder('hf:a/two'), 'deep/y.gguf'), 'utf8')).toBe('other')
  expect(await store.removeModel(one)).toBe(5)
  expect(await blobs()).toHaveLength(2)
  expect(readFileSync(join(store.modelFolder('hf:a/two'), 'config.json'), 'utf8')).toBe('same')
  expect(await store.removeModel(two)).toBe(9)
  expect(await blobs()).toEqual([])
  expect(await store.models()).toEqual([])
})

test('references that differ in one letter, or in its case, have folders of their own', async () => {
  const store = await emptyStore()
  const names = ['hf:a/b:Q4', 'hf:a/b:q4', 'hf:a/b@Q4', 'hf:a/b/Q4', `https://h/${'x'.repeat(500)}`]
  const folders = names.map((name) => store.modelFolder(name).toLowerCase())
  expect(new Set(folders).size).toBe(names.length)
  for (const folder of folders) expect(folder.length).toBeLessThan(255)
})

test('an adopted file stays when its owner deletes it, where both are on one disk', async () => {
  const store = await emptyStore()
  const path = join(await folderOf(), 'model.gguf')
  writeFileSync(path, 'theirs')
  const sha256 = createHash('sha256').update('theirs').digest('hex')
  await store.adoptBlob(path, sha256)
  const blob = await store.findBlob(sha256)
  expect(blob?.sizeBytes).toBe(6)
  expect(statSync(blob?.path ?? '').ino).toBe(statSync(path).ino)
  rmSync(path)
  expect(await store.findBlob(sha256)).not.toBeNull()
})

test("a model that names a file twice is refused, and writes over nobody's content", async () => {
  const store = await emptyStore()
  const theirs = join(await folderOf(), 'model.gguf')
  writeFileSync(theirs, 'theirs')
  const first = createHash('sha256').update('theirs').digest('hex')
  await store.adoptBlob(theirs, first)
  const [other] = (await addModel(store, 'hf:a/other', { 'x.gguf': 'other' })).files
  const files = [
    { path: 'x.gguf', sha256: first, sizeBytes: 6 },
    { path: 'x.gguf', sha256: other?.sha256 ?? '', sizeBytes: 5 },
  ]
  const model = { reference: 'hf:a/twice', version: null, pulledMs: 0, files }
  await expect(store.addModel(model)).rejects.toThrow()
  expect(readFileSync(theirs, 'utf8')).toBe('theirs')
  expect((await store.models()).map(({ reference }) => reference)).toEqual(['hf:a/other'])
})

test('a model that is claimed is not deleted until the claim is over', async () => {
  const store = await emptyStore()
  const model = await addModel(store, 'hf:a/one', { 'x.gguf': 'first' })
  const claim = await store.claim(model.reference, process.pid, 'replica chat-1')
  await expect(store.removeModel(model)).rejects.toThrow(
    `hf:a/one is used by replica chat-1 (process ${process.pid}): stop that first`,
  )
  expect(await store.models()).toEqual([model])
  await claim.release()
  expect(await store.removeModel(model)).toBe(5)
})

test('the claim of a process that has ended counts for nothing', async () => {
  const store = await emptyStore()
  const model = await addModel(store, 'hf:a/one', { 'x.gguf': 'first' })
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'close')
  await store.claim(model.reference, child.pid ?? 0, 'replica chat-1')
  expect(await store.usersOf(model)).toEqual([])
})

test.skipIf(process.platform !== 'linux')(
  'a model that any process has open is not deleted',
  async () => {
    const store = await emptyStore()
    const model = await addModel(store, 'hf:a/one', { 'x.gguf': 'first' })
    const path = join(store.modelFolder(model.reference), 'x.gguf')
    const code = `const fd = fs.openSync(${JSON.stringify(path)}); console.log('open'); setInterval(() => fd, 1000)`
    const child = spawn(process.execPath, ['-e', code])
    cleanups.push(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    await expect(store.removeModel(model)).rejects.toThrow(
      `(process ${child.pid}): stop that first`,
    )
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(await store.removeModel(model)).toBe(5)
  },
)

test('a lock is held by one, and is free again when it is released', async () => {
  const path = join(await folderOf(), 'x.lock')
  const first = await tryLock(path)
  expect(await tryLock(path)).toBeNull()
  await first?.release()
  const second = await tryLock(path)
  expect(second).not.toBeNull()
  await second?.release()
  expect(existsSync(path)).toBe(false)
})

test('of many that want a lock which a dead process left, one gets it', async () => {
  const path = join(await folderOf(), 'x.lock')
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'close')
  writeFileSync(path, JSON.stringify({ token: 'old', pid: child.pid, host: hostname() }))
  const locks = await Promise.all(Array.from({ length: 20 }, () => tryLock(path)))
  expect(locks.filter((lock) => lock !== null)).toHaveLength(1)
  for (const lock of locks) await lock?.release()
})

test('a lock of another machine is free when nobody has touched it for a while', async () => {
  const path = join(await folderOf(), 'x.lock')
  writeFileSync(path, JSON.stringify({ token: 'old', pid: 1, host: 'elsewhere' }))
  expect(await tryLock(path)).toBeNull()
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(path, longAgo, longAgo)
  const lock = await tryLock(path)
  expect(lock).not.toBeNull()
  await lock?.release()
})
