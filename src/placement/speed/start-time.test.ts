import { expect, test } from 'vitest'
import { startMs } from '#placement/speed/start-time.ts'

const known = {
  bytes: 8e9,
  isThere: true,
  diskBytesPerSecond: 2e9,
  networkBytesPerSecond: 1e9,
  isCompiled: false,
}

test.each([
  { of: 'what is on the disk: 8 GB at 2 GB/s', more: {}, ms: 4_000 + 2_000 },
  { of: 'what is elsewhere comes first', more: { isThere: false }, ms: 8_000 + 4_000 + 2_000 },
  { of: 'a disk that nobody measured', more: { diskBytesPerSecond: null }, ms: 16_000 + 2_000 },
  {
    of: 'a line that nobody measured',
    more: { isThere: false, networkBytesPerSecond: null },
    ms: 80_000 + 4_000 + 2_000,
  },
  { of: 'an engine that compiles', more: { isCompiled: true }, ms: 4_000 + 40_000 },
])('$of takes $ms ms', ({ more, ms }) => {
  expect(startMs({ ...known, ...more })).toBe(ms)
})
