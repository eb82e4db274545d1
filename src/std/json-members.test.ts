import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonScanError, jsonMembers, memberValue } from '#std/json-members.ts'

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
