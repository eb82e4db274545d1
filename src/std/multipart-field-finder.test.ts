import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MultipartFieldFinder, multipartBoundary } from '#std/multipart-field-finder.ts'

const form = Buffer.from(
  [
    '--b0\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n',
    'RIFF\r\n--b\r\nname="model"\r\n\r\nfake\r\n',
    '\r\n--b0\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper',
    '\r\n--b0--\r\n',
  ].join(''),
)

test('a field after a file is found at its exact place, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (cuts) => {
      const finder = new MultipartFieldFinder('b0')
      let at = 0
      for (const cut of [...cuts, form.length]) {
        finder.push(form.subarray(at, at + cut))
        at += cut
      }
      expect(finder.complete).toBe(true)
      expect(finder.fields.map(({ name, value }) => [name, value])).toEqual([['model', 'whisper']])
      const field = finder.fields[0]
      expect(form.toString('utf8', field?.start, field?.end)).toBe('whisper')
    }),
  )
})

test('a boundary is read with and without quotes, and only of forms', () => {
  expect(multipartBoundary('multipart/form-data; boundary="a b"')).toBe('a b')
  expect(multipartBoundary('multipart/form-data; charset=x; boundary=ab')).toBe('ab')
  expect(multipartBoundary('application/json')).toBeNull()
})
