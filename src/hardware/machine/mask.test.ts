import { expect, test } from 'vitest'
import { maskFor } from '#hardware/machine/mask.ts'

const mask = maskFor({ hostName: 'khelben', userName: 'alice', homeDirectory: '/home/alice' })

test.each([
  ['HF_TOKEN=abcdefgh12345', 'HF_TOKEN=masked'],
  ['OPENAI_API_KEY=zzzzzz99', 'OPENAI_API_KEY=masked'],
  ['{"api_key": "sekrit99"}', '{"api_key": "masked"}'],
  ['{"serial": 1650522001234}', '{"serial": "masked"}'],
  ['GPU 0: Serial Number : 1650522001234', 'GPU 0: Serial Number : masked'],
  ['inet6 fe80::1234:5678:9abc:def0', 'inet6 2001:db8::1'],
  ['addr 100.64.3.4', 'addr 192.0.2.1'],
  ['/home/bob/models', '/home/user/models'],
  ['HOST=KHELBEN', 'HOST=node'],
])('%s becomes %s', (text, masked) => {
  expect(mask(text)).toBe(masked)
})

test.each([
  'GPU 00000000:01:00.0 Off',
  'Sat Nov 21 12:30:45 2026',
  'Driver Version: 580.65.06 CUDA Version: 13.0',
  'prompt tokens: 128',
])('what is nobody’s stays: %s', (text) => {
  expect(mask(text)).toBe(text)
})
