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

const disposition = (parameters: string) => `Content-Disposition: form-data; ${parameters}\r\n\r\n`

/** Reads a form with the boundary `B`, given whole or in pieces of so many bytes. */
function read(text: string, pieceBytes = text.length): MultipartFieldFinder {
  const finder = new MultipartFieldFinder('B')
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    finder.push(bytes.subarray(at, at + pieceBytes))
  }
  return finder
}

const found = ({ fields }: MultipartFieldFinder) => fields.map(({ name, value }) => [name, value])

test('a field after a file is found at its exact place, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (cuts) => {
      const finder = new MultipartFieldFinder('b0')
      let at = 0
      for (const cut of [...cuts, form.length]) {
        finder.push(form.subarray(at, at + cut))
        at += cut
      }
      expect(finder.fault).toBeNull()
      expect(found(finder)).toEqual([['model', 'whisper']])
      const field = finder.fields[0]
      expect(form.toString('utf8', field?.start, field?.end)).toBe('whisper')
    }),
  )
})

test('a line that only begins like the boundary belongs to the file it stands in', () => {
  const fake = `\r\n--BX\r\n${disposition('name="model"')}m1`
  const text = `--B\r\n${disposition('name="file"; filename="a"')}RIFF${fake}\r\n--B\r\n${disposition('name="model"')}m2\r\n--B--\r\n`
  for (const pieceBytes of [1, 3, text.length]) {
    const finder = read(text, pieceBytes)
    expect([finder.fault, found(finder)]).toEqual([null, [['model', 'm2']]])
  }
})

test('blanks behind a boundary are no part of it', () => {
  const finder = read(`--B \t \r\n${disposition('name="model"')}m\r\n--B  \r\n\r\nx\r\n--B-- \r\n`)
  expect([finder.fault, found(finder)]).toEqual([null, [['model', 'm']]])
})

test.each([
  ['name=model', 'model'],
  ['name=model; filename=a.wav', null],
  ['NAME="model"', 'model'],
  ['name="a \\"b\\""', 'a "b"'],
  ['filename="x; name=model"; name="file"', null],
  ['name="x; name=model"', 'x; name=model'],
  ['name=""', ''],
])('a part with %s is the field %j', (parameters, name) => {
  const finder = read(`--B\r\n${disposition(parameters)}v\r\n--B--`)
  expect([finder.fault, found(finder)]).toEqual([null, name === null ? [] : [[name, 'v']]])
})

test('a name that comes twice is counted twice, as a file or a long text too', () => {
  const part = (parameters: string, value: string) =>
    `--B\r\n${disposition(parameters)}${value}\r\n`
  const finder = read(
    `${part('name="model"', 'm1')}${part('name=model', 'm2')}${part('name="model"; filename="f"', 'm3')}${part('name="model"', 'm'.repeat(5_000))}${part('name="language"', 'en')}--B--`,
  )
  expect(found(finder)).toEqual([
    ['model', 'm1'],
    ['model', 'm2'],
    ['language', 'en'],
  ])
  expect([finder.countOf('model'), finder.countOf('language'), finder.countOf('file')]).toEqual([
    4, 1, 0,
  ])
})

const twoWays = 'A part of the form has headers that can be read in more than one way.'
test.each([
  [
    'a form that was cut',
    `--B\r\n${disposition('name="model"')}m`,
    'The form ends before its closing boundary.',
  ],
  [
    'a form with a text before it',
    `x\r\n--B\r\n${disposition('name=model')}m\r\n--B--`,
    'The form does not begin with its boundary.',
  ],
  [
    'line feeds alone',
    `--B\n${disposition('name=model')}m\r\n--B--`,
    'The form does not begin with its boundary.',
  ],
  [
    'a part behind the end',
    `--B\r\n\r\nx\r\n--B--X\r\n--B\r\n${disposition('name=model')}m\r\n--B--`,
    'The form goes on behind its closing boundary.',
  ],
  [
    'two dispositions',
    `--B\r\nContent-Disposition: form-data; name=a\r\n${disposition('name=model')}m\r\n--B--`,
    twoWays,
  ],
  ['two names', `--B\r\n${disposition('name=a; name=model')}m\r\n--B--`, twoWays],
  [
    'a folded header',
    `--B\r\nContent-Disposition: form-data\r\n ; name=model\r\n\r\nm\r\n--B--`,
    twoWays,
  ],
  [
    'a line feed within the headers',
    `--B\r\nX-A: b\n${disposition('name=model')}m\r\n--B--`,
    twoWays,
  ],
  [
    'a boundary within the headers',
    `--B\r\nX-A: b\r\n--B\r\n${disposition('name=model')}m\r\n--B--`,
    twoWays,
  ],
  ['a name in the extended form', `--B\r\n${disposition("name*=utf-8''model")}m\r\n--B--`, twoWays],
  [
    'a disposition that is no form',
    `--B\r\nContent-Disposition: attachment; name=model\r\n\r\nm\r\n--B--`,
    twoWays,
  ],
  [
    'endless headers',
    `--B\r\nX-A: ${'a'.repeat(20_000)}`,
    'A part of the form has more than 16384 bytes of headers.',
  ],
])('%s is a fault', (_what, text, fault) => {
  for (const pieceBytes of [1, 7, text.length]) expect(read(text, pieceBytes).fault).toBe(fault)
})

test('no bytes make it throw, and it finds the same however they are cut', () => {
  const parts = fc.array(
    fc.constantFrom(
      '--B',
      '\r\n',
      '\r',
      '\n',
      '--',
      ' ',
      'x',
      disposition('name=model'),
      'name="model"',
      ';',
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 9 }), (list, pieceBytes) => {
      const text = list.join('')
      const whole = read(text)
      const cut = read(text, pieceBytes)
      expect([cut.fault, cut.fields]).toEqual([whole.fault, whole.fields])
    }),
  )
})

test('a boundary is read with and without quotes, and only of forms', () => {
  expect(multipartBoundary('multipart/form-data; boundary="a b"')).toBe('a b')
  expect(multipartBoundary('multipart/form-data; charset=x; boundary=ab')).toBe('ab')
  expect(multipartBoundary('application/json')).toBeNull()
})
