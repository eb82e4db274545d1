import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { IdentityError, readIdentity, writeIdentity } from '#agent/identity.ts'
import { parseToken } from '#agent/parse-token.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'motley-identity-'))
  folders.push(folder)
  return join(folder, 'agent')
}

test('it is made once, stays, remembers its controller, and only its owner may read it', async () => {
  const folder = newFolder()
  const made = await readIdentity(folder, Date.now())
  expect(made.controller).toBeNull()
  const controller = { host: 'node0', port: 7_071, fingerprint: 'f'.repeat(64) }
  writeIdentity(folder, { ...made, controller })
  expect(await readIdentity(folder, Date.now())).toEqual({ ...made, controller })
  expect(statSync(join(folder, 'identity.json')).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test.each([
  { name: 'cut in the middle', damage: (text: string) => text.slice(0, text.length / 2) },
  { name: 'empty', damage: () => '' },
  {
    name: 'with the key of nobody',
    damage: (text: string) => text.replace(/MII[\w+/]{20}/g, 'MIIx'),
  },
  { name: 'of another form', damage: () => '{"certificate":1}' },
])('a file that is $name is one sentence about what to do', async ({ damage }) => {
  const folder = newFolder()
  await readIdentity(folder, Date.now())
  const file = join(folder, 'identity.json')
  writeFileSync(file, damage(readFileSync(file, 'utf8')))
  const read = readIdentity(folder, Date.now())
  await expect(read).rejects.toThrow(IdentityError)
  await expect(read).rejects.toThrow(/identity\.json is damaged: remove it, and join again/)
})

test.each([
  { token: `mt-${'a'.repeat(32)}.${'0'.repeat(64)}`, whole: true },
  { token: `  mt-${'-_Az09'.repeat(5)}.${'f'.repeat(64)}\n`, whole: true },
  { token: `mt-${'a'.repeat(32)}`, whole: false },
  { token: `mt-${'a'.repeat(32)}.${'0'.repeat(63)}`, whole: false },
  { token: `mt-short.${'0'.repeat(64)}`, whole: false },
  { token: `mk-${'a'.repeat(32)}.${'0'.repeat(64)}`, whole: false },
])('the token "$token" is whole: $whole', ({ token, whole }) => {
  expect(parseToken(token) !== null).toBe(whole)
})
