import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPrometheusLabels, readPrometheusValues } from '#std/prometheus-text.ts'

const read = (page: string, ...names: string[]) =>
  Object.fromEntries(readPrometheusValues(page, new Set(names)))

test('a metric is read with and without labels, and with a timestamp', () => {
  const page = 'queue 3\nrunning{model="a"} 2.0\nusage{model="a"} 4.2e-1 1700000000000\n'
  expect(read(page, 'queue', 'running', 'usage')).toEqual({
    queue: [3],
    running: [2],
    usage: [0.42],
  })
})

test('every set of labels gives a value of its own, in the order of the page', () => {
  const page = 'running{rank="0"} 2\nrunning{rank="1"} 5\n'
  expect(read(page, 'running')).toEqual({ running: [2, 5] })
})

test('a brace, a blank and a quote within a label do not end the labels', () => {
  const page = 'running{model="a} 9 \\" b",x="\\\\"} 4\n'
  expect(read(page, 'running')).toEqual({ running: [4] })
})

test('a name that only begins like the wanted one is another metric', () => {
  const page = 'waiting_by_reason{r="x"} 7\nwaiting:total 8\nwaiting 1\n'
  expect(read(page, 'waiting')).toEqual({ waiting: [1] })
})

test('comments, empty lines and carriage returns are no trouble', () => {
  const page = '# HELP running how many\r\n# TYPE running gauge\r\n\r\nrunning 6\r\n'
  expect(read(page, 'running')).toEqual({ running: [6] })
})

test('a page cut within its last number does not give that number', () => {
  expect(read('waiting 1\nrunning 120', 'running', 'waiting')).toEqual({ waiting: [1] })
})

test('what is not a number is skipped', () => {
  expect(read('a x\na{b="c 1\na{}\na 0x10\na 1\n', 'a')).toEqual({ a: [1] })
  expect(read('a NaN\na +Inf\na -Inf\n', 'a')).toEqual({
    a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  })
})

test('no text makes it throw, and what it finds are numbers', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a{}="\\ 1.\n#') }), (page) => {
      const values = readPrometheusValues(page, new Set(['a']))
      expect([...values.values()].flat().every((value) => typeof value === 'number')).toBe(true)
    }),
  )
})

test('labels are read with what stands in quotes, and cut lines have none', () => {
  const page = 'ab{x="no"} 1\na{x="1",y="}\\"",z=""} 1\na{x="2"} 1\na{x="3"'
  expect(readPrometheusLabels(page, 'a').map((labels) => Object.fromEntries(labels))).toEqual([
    { x: '1', y: '}\\"', z: '' },
    { x: '2' },
  ])
})
