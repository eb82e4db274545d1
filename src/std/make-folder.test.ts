import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeFolder, makeFolderSync } from '#std/make-folder.ts'

const root = mkdtempSync(join(tmpdir(), 'motley-make-folder-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Both of them, each as a promise. */
const ways = [
  { way: 'makeFolder()', make: makeFolder },
  {
    way: 'makeFolderSync()',
    make: async (path: string, options?: { mode: number }) => makeFolderSync(path, options),
  },
]

describe.each(ways)('$way', ({ way, make }) => {
  const base = join(root, way)

  test('makes what is missing, and is content with what is there', async () => {
    const folder = join(base, 'a/b/c')
    await make(folder, { mode: 0o700 })
    await make(folder)
    expect(statSync(folder).isDirectory()).toBe(true)
    if (process.platform !== 'win32') {
      expect([folder, join(base, 'a')].map((path) => statSync(path).mode & 0o777)).toEqual([
        0o700, 0o700,
      ])
    }
  })

  test('two may make the same at the same time', async () => {
    const folder = join(base, 'd/e/f')
    await Promise.all([make(folder), make(folder)])
    expect(existsSync(folder)).toBe(true)
  })

  test('a file in the way is named as what was asked for', async () => {
    await make(base)
    writeFileSync(join(base, 'file'), '')
    const folder = join(base, 'file/x/y')
    await expect(make(folder)).rejects.toMatchObject({ path: folder })
  })

  test.skipIf(!existsSync('/proc/self'))('ends where nobody can make a folder', async () => {
    await expect(make('/proc/motley/x')).rejects.toMatchObject({
      code: 'ENOENT',
      path: '/proc/motley/x',
    })
  })
})
