import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonScanError, jsonMembers, lastMemberValue, memberValue } from '#std/json-members.ts'

test('members of any object have the values that JSON.parse gives them', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom(0, 2),
      (object, space) => {
        const body = Buffer.from(JSON.stringify(object, null, space))
        const seen = new Map(
          jsonMembers(body).map((member) => [member.key, memberValue(body, member)]),
        )
        const parsed = JSON.parse(body.toString()) as Record<string, unknown>
        expect(seen).toEqual(new Map(Object.entries(parsed)))
      },
    ),
  )
})

test('the last member of a name is the one that JSON.parse keeps, wherever else the name stands', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('usage', '"usage"', '"usage":', ':', '}', 7, null, true),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom('usage', '"usage', 'usage"', 'a', ''), tie('any')),
    ),
  })).any
  const names = fc.constantFrom('usage', '"usage', 'model', 'choices', '')
  fc.assert(
    fc.property(fc.dictionary(names, value), fc.constantFrom(0, 2), (object, space) => {
      const body = Buffer.from(JSON.stringify(object, null, space))
      const parsed = JSON.parse(body.toString()) as Record<string, unknown>
      expect(lastMemberValue(body, 'usage')).toEqual(parsed['usage'])
    }),
  )
})

test.each([
  ['{"usage":1,"usage":2}', 2],
  ['{"a":{"usage":1}}', undefined],
  ['{"usage":1} x', undefined],
  ['{"usage":', undefined],
  ['{"a\\"usage":1}', undefined],
  ['{"usage":5,"a":{"usage":1,"b":{"usage":1,"c":{"usage":1,"d":{"usage":1}}}}}', 5],
])('from the end of %s it reads %s', (text, value) => {
  expect(lastMemberValue(Buffer.from(text), 'usage')).toEqual(value)
})

test('a name that is nested a hundred thousand times is not looked at as often', () => {
  const deep = Buffer.from(`${'{"usage":'.repeat(100_000)}1${'}'.repeat(100_000)}`)
  expect(typeof lastMemberValue(deep, 'usage')).toBe('object')
  expect(
    lastMemberValue(Buffer.concat([Buffer.from('{"a":'), deep, Buffer.from('}')]), 'usage'),
  ).toBeUndefined()
})

test('bytes that are no object end in a scan error, never in anything else', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string().map((text) => Buffer.from(`{"a":${text}`)),
      ),
      (bytes) => {
        try {
          jsonMembers(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(JsonScanError)
        }
      },
    ),
  )
})

test.each([
  ['', 'expected "{" at byte 0'],
  ['[1]', 'expected "{" at byte 0'],
  ['{"a" 1}', 'expected ":" at byte 5'],
  ['{"a":1', 'expected "," or "}" at byte 6'],
  ['{"a":"x', 'expected a closing double quote at byte 7'],
  ['{"a":1} x', 'expected the end of the body at byte 8'],
])('%j: %s', (text, message) => {
  expect(() => jsonMembers(Buffer.from(text))).toThrow(message)
})
