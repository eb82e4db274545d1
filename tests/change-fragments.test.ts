/** The notes of what a user can notice: a number each, in the order in which they came. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'

const names = readdirSync('changes').sort()

test('no two fragments of changes/ have one number', () => {
  const numbers = names.map((name) => name.slice(0, 4))
  expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([])
})

test.each(names)('%s is named after its number and what it is about', (name) => {
  expect(name).toMatch(/^\d{4}(-[a-z0-9]+)+\.md$/)
})
