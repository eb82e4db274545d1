/** The notes of what a user can notice: one number each, in the order in which they came. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'

const names = readdirSync('changes').sort()

test('each fragment of changes/ has a number of its own, and none is left out', () => {
  expect(names.map((name) => Number(name.slice(0, 4)))).toEqual(names.map((_, index) => index + 1))
})

test.each(names)('%s is named after its number and what it is about', (name) => {
  expect(name).toMatch(/^\d{4}(-[a-z0-9]+)+\.md$/)
})
