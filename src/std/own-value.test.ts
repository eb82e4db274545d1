import { expect, test } from 'vitest'
import { ownValue } from '#std/own-value.ts'

test.each([
  ['chat', 1],
  ['gone', undefined],
  ['constructor', undefined],
  ['__proto__', undefined],
])('under %s stands %s', (name, value) => {
  expect(ownValue({ chat: 1 }, name)).toBe(value)
})
