import { expect, test } from 'vitest'
import { isOlderVersion } from '#std/version.ts'

test.each([
  ['525.60.13', '525.60.13', false],
  ['525.60.11', '525.60.13', true],
  ['515.105.01', '525.60.13', true],
  ['580', '580.65.06', true],
  ['595.80', '580.65.06', false],
  ['1000.1', '580', false],
])('driver %s is older than %s: %s', (version, needed, older) => {
  expect(isOlderVersion(version, needed)).toBe(older)
})
