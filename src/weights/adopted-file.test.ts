import {
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { sha256Of } from '#testing/test-hub.ts'
import { AdoptedFiles } from '#weights/adopted-file.ts'
import { diskFailure, writeWhole } from '#weights/durable-file.ts'
import { bench, expectWhole, hashOfFile, hub, model, repositories } from '#weights/test-pull.ts'

/** A file of Ollama's that was adopted, and the pull that did it. */
async function adopted() {
  const { url } = await hub({ repositories })
  const each = await bench(url)
  const file = join(each.home, '.ollama/models/blobs', `sha256-${sha256Of(model)}`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, model.read(0, model.sizeBytes))
  expect((await expectWhole(each)).transferredBytes).toBe(0)
  return { ...each, file }
}

/** As a later moment than any before, whatever the file system's clock counts in. */
const touch = (file: string) => utimesSync(file, new Date(), new Date(Date.now() + 60_000))

test('what its owner writes into is no content of ours any more, and is brought again', async () => {
  const { store, file, ...each } = await adopted()
  writeSync(openSync(file, 'r+'), 'somebody else', 100)
  touch(file)
  expect(await store.findBlob(sha256Of(model))).toBeNull()
  const again = await expectWhole({ store, ...each })
  expect(again.transferredBytes).toBe(model.sizeBytes)
  expect(each.notes()).toContainEqual(expect.stringMatching(/^somebody has written into the file/))
  expect((await store.findBlob(sha256Of(model)))?.sizeBytes).toBe(model.sizeBytes)
  // What somebody wrote is still what he has.
  expect(hashOfFile(file)).not.toBe(sha256Of(model))
})

test('what its owner makes longer is another content, too', async () => {
  const { store, file } = await adopted()
  writeFileSync(file, 'more', { flag: 'a' })
  expect(await store.findBlob(sha256Of(model))).toBeNull()
  expect(await store.hasChanged(sha256Of(model))).toBe(true)
})

test('what was only touched is read once more, and stays', async () => {
  const { store, file } = await adopted()
  touch(file)
  for (let time = 0; time < 2; time++) {
    expect((await store.findBlob(sha256Of(model)))?.sizeBytes).toBe(model.sizeBytes)
  }
  expect(await store.hasChanged(sha256Of(model))).toBe(false)
})

test('what was only touched is there while nothing can be written, and is read once for that', async () => {
  const { file } = await adopted()
  const sha256 = sha256Of(model)
  let isFull = false
  const files = new AdoptedFiles(dirname(file), (path, text) =>
    isFull ? Promise.reject(diskFailure(path, { code: 'ENOSPC' })) : writeWhole(path, text),
  )
  await files.note(sha256, file)
  isFull = true
  touch(file)
  const stop = new AbortController()
  expect(await files.isStill(sha256, file, stop.signal)).toBe(true)
  stop.abort(new Error('it is read again'))
  expect(await files.isStill(sha256, file, stop.signal)).toBe(true)
  expect(await files.hasChanged(sha256)).toBe(false)

  const another = new AbortController()
  writeSync(openSync(file, 'r+'), 'somebody else', 100)
  utimesSync(file, new Date(), new Date(Date.now() + 120_000))
  expect(await files.isStill(sha256, file, another.signal)).toBe(false)
  expect(await files.hasChanged(sha256)).toBe(true)
})

test('to read again what was touched ends when nobody wants it any more', async () => {
  const { store, file } = await adopted()
  touch(file)
  const stop = AbortSignal.abort(new Error('Ctrl-C'))
  await expect(store.findBlob(sha256Of(model), stop)).rejects.toThrow('Ctrl-C')
  expect(await store.findBlob(sha256Of(model))).not.toBeNull()
})

test('what its owner replaces by another file is still here as it was', async () => {
  const { store, file } = await adopted()
  const { ino } = statSync(file)
  rmSync(file)
  writeFileSync(file, 'another')
  const blob = await store.findBlob(sha256Of(model))
  expect(statSync(blob?.path ?? '').ino).toBe(ino)
})
