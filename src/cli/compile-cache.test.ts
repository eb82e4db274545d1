import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tidyCompileCache } from '#cli/compile-cache.ts'

const dayMs = 24 * 60 * 60_000
const nowMs = Date.UTC(2026, 0, 1)
const names = {
  own: 'v24.21.0-x64-964aae3f-1000',
  gone: 'v24.9.0-x64-0a1b2c3d-1000',
  lately: 'v22.19.0-x64-11111111-1000',
  another: 'v24.9.0-x64-0a1b2c3d-1001',
  strange: 'v8-profiles',
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motley-cache-'))
  for (const name of Object.values(names)) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'cafe.cache'), '')
    const days = name === names.lately ? 29 : 31
    utimesSync(join(folder, name), nowMs / 1_000, (nowMs - days * dayMs) / 1_000)
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

const left = () => readdirSync(folder).sort()

test('what another version of Node has compiled is removed when nobody has used it for a month', async () => {
  await tidyCompileCache({ own: join(folder, names.own), folder }, nowMs)
  const { own, lately, another, strange } = names
  expect(left()).toEqual([own, lately, another, strange].sort())
})

test('a process that runs marks its own as used, whatever version it is of', async () => {
  await tidyCompileCache({ own: join(folder, names.gone), folder }, nowMs)
  expect(statSync(join(folder, names.gone)).mtimeMs).toBe(nowMs)
  await tidyCompileCache({ own: join(folder, names.lately), folder }, nowMs + 29 * dayMs)
  expect(left()).toContain(names.gone)
})

test.each([
  { of: 'a folder that somebody else has chosen', own: () => join(folder, names.own) },
  { of: 'a process that keeps nothing', own: () => undefined },
])('$of is left alone', async ({ own }) => {
  await tidyCompileCache({ own: own(), folder: join(folder, names.strange) }, nowMs)
  expect(left()).toEqual(Object.values(names).sort())
})
