import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
import { givenToken, type TokenFlags } from '#cli/given-token.ts'

const folder = mkdtempSync(join(tmpdir(), 'motley-token-'))
afterAll(() => rmSync(folder, { recursive: true }))

const parts = { secret: `mt-${'s'.repeat(32)}`, fingerprint: 'a'.repeat(64) }
const whole = `${parts.secret}.${parts.fingerprint}`
const other = `${parts.secret}.${'b'.repeat(64)}`
const file = join(folder, 'token')
writeFileSync(file, `${whole}\n`)

function given(flags: TokenFlags, env: NodeJS.ProcessEnv = {}, typed = '') {
  const input = new PassThrough()
  input.end(typed)
  return givenToken(flags, env, input as unknown as NodeJS.ReadStream)
}

test('a token comes from an argument, a file, stdin or the environment, the nearest first', async () => {
  expect(await given({ token: whole })).toEqual(parts)
  expect(await given({ token: whole }, { MOTLEY_TOKEN: other })).toEqual(parts)
  expect(await given({ tokenFile: file }, { MOTLEY_TOKEN: other })).toEqual(parts)
  expect(await given({ tokenFile: '-' }, {}, `${whole}\nand more`)).toEqual(parts)
  expect(await given({}, { MOTLEY_TOKEN: whole })).toEqual(parts)
  expect(await given({})).toBeNull()
})

test.each([
  { flags: { token: 'mt-half' }, says: /^--token: the token is not whole: / },
  { flags: {}, env: { MOTLEY_TOKEN: 'x' }, says: /^MOTLEY_TOKEN: the token is not whole: / },
  { flags: {}, env: { MOTLEY_TOKEN: '' }, says: /^MOTLEY_TOKEN is empty: set it to the token/ },
  { flags: { tokenFile: '-' }, says: /^--token-file is empty: give it the token / },
  { flags: { tokenFile: `${file}s` }, says: /^--token-file: .*tokens cannot be read \(ENOENT\)$/ },
  { flags: { tokenFile: file, token: whole }, says: /^--token and --token-file exclude each/ },
])('what is no token is refused in a line: $says', async ({ flags, env, says }) => {
  await expect(given(flags, env)).rejects.toThrow(says)
})
