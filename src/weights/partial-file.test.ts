import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PartialFile, type PartialIdentity, readJournal } from '#weights/partial-file.ts'

const mib = 1024 * 1024
const about = { reference: 'hf:a/b', path: 'x.gguf' }
const identity: PartialIdentity = { sizeBytes: 8 * mib, digest: null }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motley-partial-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = (of = identity) => PartialFile.open(folder, about, of, () => 0)

/** A file whose first mebibyte is sure, and whose next four were written and not made sure. */
async function abandoned(): Promise<void> {
  const partial = await open()
  await partial.write(Buffer.alloc(mib), 0)
  partial.validator = '"v1"'
  await partial.saveJournal()
  await partial.write(Buffer.alloc(4 * mib), mib)
  await partial.close()
}

test('when only the process was killed, what was written counts', async () => {
  await abandoned()
  const partial = await open()
  expect(partial.finished.ranges).toEqual([{ begin: 0, end: 5 * mib }])
  expect(partial.validator).toBe('"v1"')
  await partial.close()
})

test('when the machine has started anew, only what is sure counts', async () => {
  await abandoned()
  const path = join(folder, 'progress.json')
  const progress = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...progress, bootMs: progress.bootMs - 3_600_000 }))
  const partial = await open()
  expect(partial.finished.ranges).toEqual([{ begin: 0, end: mib }])
  await partial.close()
})

test.each([
  { what: 'another size', of: { ...identity, sizeBytes: 9 * mib } },
  { what: 'another hash', of: { ...identity, digest: `sha256:${'0'.repeat(64)}` } },
])('$what makes it another file, of which nothing is there', async ({ of }) => {
  await abandoned()
  const partial = await open(of)
  expect({ ranges: partial.finished.ranges, validator: partial.validator }).toEqual({
    ranges: [],
    validator: null,
  })
  await partial.close()
})

test('a journal that is torn counts for nothing', async () => {
  await abandoned()
  for (const name of ['progress.json', 'journal.json']) {
    writeFileSync(join(folder, name), readFileSync(join(folder, name)).subarray(0, 40))
  }
  expect(await readJournal(folder)).toBeNull()
})

test('after a reset nothing counts, in no journal', async () => {
  await abandoned()
  const partial = await open()
  await partial.reset()
  await partial.close()
  rmSync(join(folder, 'progress.json'))
  expect(await readJournal(folder)).toMatchObject({ finished: [], validator: null })
})
