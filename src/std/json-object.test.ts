import { expect, test } from 'vitest'
import { asObject, jsonObject } from '#std/json-object.ts'

test('an object is read, and all else is null', () => {
  expect(jsonObject('{"a":[1]}')).toEqual({ a: [1] })
  for (const text of ['', 'a', '[]', '[{}]', 'null', '1', '"{}"', '{"a":1']) {
    expect(jsonObject(text)).toBeNull()
  }
})

test('a value with members is an object, and a list is not', () => {
  const object = { a: 1 }
  expect(asObject(object)).toBe(object)
  for (const value of [null, undefined, [], 'a', 1]) expect(asObject(value)).toBeNull()
})
