import { expect, test } from 'vitest'
import { folded } from '#cli/folded.ts'

const terminal = { isTTY: true, columns: 80 }
const long =
  'motley: no gateway answers at http://127.0.0.1:7070 (nothing listens there): start one with "motley up", or name another with --url'

test('on a terminal, a message is folded between words and later lines are indented', () => {
  expect(folded(long, terminal)).toBe(
    'motley: no gateway answers at http://127.0.0.1:7070 (nothing listens there):\n' +
      '  start one with "motley up", or name another with --url',
  )
})

test('elsewhere it stays one line', () => {
  expect(folded(long, { isTTY: false })).toBe(long)
  expect(folded(long, {})).toBe(long)
})

test('a command in quotes stays whole where a line has room for it', () => {
  const text = `motley: ${'word '.repeat(12)}and "motley model pull hf:motley/tiny" does it`
  expect(folded(text, terminal).split('\n')).toEqual([
    `motley: ${'word '.repeat(12)}and`,
    '  "motley model pull hf:motley/tiny" does it',
  ])
})

test('a word that is longer than a line has one of its own; a narrow terminal is kept to', () => {
  const path = `/${'x'.repeat(60)}`
  expect(folded(`motley: the file ${path} is gone`, { isTTY: true, columns: 40 })).toBe(
    `motley: the file\n  ${path}\n  is gone`,
  )
})

test('each line of a message is folded for itself, and keeps its margin', () => {
  const text = `short\n  ${'word '.repeat(20).trim()}`
  const lines = folded(text, terminal).split('\n')
  expect(lines[0]).toBe('short')
  expect(lines[1]).toMatch(/^ {2}word/)
  expect(lines[2]).toMatch(/^ {4}word/)
  expect(lines.every((line) => line.length <= 80)).toBe(true)
})

test('a quote that never ends is text like any other', () => {
  const lines = folded(`motley: found "${'word '.repeat(30)}`, terminal).split('\n')
  expect(lines.every((line) => line.length <= 80)).toBe(true)
})

test('a terminal that does not say how wide it is has 80 columns', () => {
  expect(folded('motley: nothing was applied', { isTTY: true, columns: 0 })).toBe(
    'motley: nothing was applied',
  )
})
