import { expect, test } from 'vitest'
import { nestsDeeperThan } from '#std/json-depth.ts'

test.each([
  ['{"a":[1]}', 2, false],
  ['{"a":[[1]]}', 2, true],
  ['[[],[],[]]', 2, false],
  ['["[[[[", "\\"[[["]', 1, false],
  ['not json', 0, false],
])('%s nests deeper than %i: %s', (text, depth, deeper) => {
  expect(nestsDeeperThan(Buffer.from(text), depth)).toBe(deeper)
})
