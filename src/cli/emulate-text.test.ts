import { expect, test } from 'vitest'
import { listsText, useText } from '#cli/emulate-text.ts'
import { emulatedDevices } from '#emulator/engine-model.ts'
import { faultKinds, parseFault } from '#emulator/fault.ts'

test('every device and every fault is told, in 80 columns', () => {
  const text = listsText()
  for (const device of Object.keys(emulatedDevices)) expect(text).toContain(device)
  for (const { example } of faultKinds) expect(text).toContain(`\n  ${example} `)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test.each(faultKinds)('$example can be given as it is told', ({ example, what }) => {
  expect(() => parseFault(example)).not.toThrow()
  expect(what).not.toBe('')
})

test('engines that run side by side have names of their own to be copied', () => {
  const one = (port: number, name = 'vllm') => ({
    ...{ url: `http://127.0.0.1:${port}`, settings: { name } },
  })
  expect(useText([one(4001)], false)).toContain('{ url: "http://127.0.0.1:4001", name: vllm-4001 }')
  expect(useText([one(4002)], false)).toContain('name: vllm-4002 }')
  expect(useText([one(4001, 'rtx'), one(4002, 'amd')], true)).toMatch(/name: rtx }\n.*name: amd }/)
})
