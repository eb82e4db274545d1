import { expect, test } from 'vitest'
import { demoText, startedText } from '#cli/demo-fleet.ts'

const engines = [{ name: 'h100', engine: 'vllm', device: 'h100-sxm', models: ['a'] }]
const children = new Map([['h100', { port: 40_123, pid: 4_711 }]])

test('ways to break the demo stand beside what they do, while there is room', () => {
  const lines = demoText(engines, children, '').split('\n')
  expect(lines.join('\n')).toMatch(/^ {2}motley status +shows how each of them is$/m)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
})

test('beside another gateway they name it, and do as they are printed', () => {
  const flag = ' --url http://192.168.100.100:17070'
  const lines = demoText(engines, children, flag).split('\n')
  const commands = lines.filter((line) => line.startsWith('  motley '))
  expect(commands).toHaveLength(5)
  for (const command of commands) expect(command.endsWith(flag)).toBe(true)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
})

test('a start says whether there was anything to do', () => {
  expect(startedText({ isUp: false, wasBroken: false })).toBe('starts')
  expect(startedText({ isUp: true, wasBroken: true })).toBe('is mended')
  expect(startedText({ isUp: true, wasBroken: false })).toContain('runs already')
})
