import { expect, test } from 'vitest'
import { namedDevices } from '#hardware/probe-named-device.ts'

const gibibyte = 2 ** 30

test.each([
  { text: 'rtx-3090', count: 1, gib: 24 },
  { text: 'RTX-3090 24GiB', count: 1, gib: 24 },
  { text: '2 x rtx-3090 48GB', count: 2, gib: 48 },
  { text: 'rtx-3090 24576MiB', count: 1, gib: 24 },
  { text: '16x rtx-3090', count: 16, gib: 24 },
])('$text is $count of $gib GiB', ({ text, count, gib }) => {
  const named = namedDevices(text)
  if (named.kind === 'none') throw new Error(named.because)
  expect(named.devices.map(({ memoryBytes }) => memoryBytes)).toEqual(
    Array(count).fill(gib * gibibyte),
  )
})

test.each([
  {
    text: 'rtx-3090 0GiB',
    because: /^no rtx-3090 has 0 GiB: 1 to 96 GiB can be; it is made with 24/,
  },
  { text: 'rtx-3090 -4GiB', because: /^no rtx-3090 has -4 GiB/ },
  { text: 'rtx-3090 10TB', because: /^no rtx-3090 has 10 TiB/ },
  { text: 'rtx-3090 1.2.3GiB', because: /^no rtx-3090 has 1\.2\.3 GiB/ },
  { text: '0 x rtx-3090', because: /^0 of them are in no machine: 1 to 16 can be/ },
  { text: '500 x rtx-3090', because: /^500 of them/ },
  {
    text: 'rtx-309',
    because: /^there is no such device; did you mean rtx-3090\? Others like it: rtx-/,
  },
  { text: 'voodoo 24GiB', because: /^there is no such device/ },
  { text: 'rtx-3090, please', because: /^"rtx-3090, please" is no device; write one as / },
])('$text is none, and it is said why', ({ text, because }) => {
  expect(namedDevices(text)).toEqual({ kind: 'none', because: expect.stringMatching(because) })
})
