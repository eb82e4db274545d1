import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { parseFleetFile } from '#emulator/fleet-file.ts'
import { resolveOptions } from '#emulator/options.ts'

test('a fleet is a list of emulators, and a count makes more of one', () => {
  const text = `
emulators:
  - { name: a, engine: vllm, device: h100-sxm, port: 8001, count: 2, faults: ["cut:40@first"] }
  - { name: b, engine: ollama, models: [bge-m3] }
`
  expect(parseFleetFile(text, 'fleet.yaml')).toEqual([
    { name: 'a', engine: 'vllm', device: 'h100-sxm', port: 8001, faults: ['cut:40@first'] },
    { name: 'a-2', engine: 'vllm', device: 'h100-sxm', port: 8002, faults: ['cut:40@first'] },
    { name: 'b', engine: 'ollama', models: ['bge-m3'] },
  ])
})

test('a fleet of the simulator can be emulated, each device with the engine of its figures', async () => {
  const lab = parseFleetFile(await readFile('fleets/lab.yaml', 'utf8'), 'lab.yaml')
  expect(lab.map(({ name, engine }) => `${name} ${engine}`)).toEqual([
    'pro6000 vllm',
    'rtx4090 vllm',
    'rtx4090-2 vllm',
    'rx7900xtx llama-server',
    'm2-ultra llama-server',
    'strix-halo llama-server',
    'arc-b580 llama-server',
    'epyc llama-server',
  ])
})

test.each([
  ['emulators: [', 'fleet.yaml:1: not valid YAML'],
  ['machines: []', 'fleet.yaml: emulators: found nothing, allowed: a list'],
  ['emulators: []', 'emulators: found [], allowed: at least 1'],
  [
    'emulators: [{ engine: vllm }]',
    'emulators[0].name: found nothing, allowed: a value of type string',
  ],
  [
    'emulators:\n\t- { name: a, engine: vllm }',
    'fleet.yaml:2: a tab starts this line; YAML takes only spaces there',
  ],
  [
    'emulators: [{ name: a, engine: vlm }]',
    'emulators[0].engine: found "vlm", allowed: one of vllm, sglang, llama-server, ollama, openai',
  ],
  [
    'emulators: [{ name: a, engine: vllm, device: gpu }]',
    'emulators[0].device: found "gpu", allowed: one of h100-sxm',
  ],
  [
    'emulators: [{ name: a, engine: vllm, port: 99999 }]',
    'emulators[0].port: found 99999, allowed: at most 65535',
  ],
  [
    'emulators: [{ name: a, engine: vllm, count: 1000000000 }]',
    'emulators[0].count: found 1000000000, allowed: at most 1000',
  ],
  [
    'emulators: [{ name: a, engine: vllm, fault: hang }]',
    'emulators[0]: found the key fault, allowed: name, engine',
  ],
  [
    'emulators: [{ name: a, engine: vllm, faults: [hang, explode] }]',
    'emulators[0].faults[1]: Cannot read the fault "explode"',
  ],
  [
    'emulators: [{ name: a, engine: vllm }, { name: a, engine: vllm }]',
    'name: found a twice, allowed: a name for one',
  ],
  [
    'emulators: [{ name: a, engine: vllm, port: 1 }, { name: b, engine: vllm, port: 1 }]',
    'port: found 1 for both a and b',
  ],
])('%s is refused with the place and what is allowed', (text, message) => {
  expect(() => parseFleetFile(text, 'fleet.yaml')).toThrow(message)
})

test('the demo fleet is one that can be started', async () => {
  const file = new URL('../../fleets/demo.yaml', import.meta.url)
  const plans = parseFleetFile(await readFile(file, 'utf8'), 'demo.yaml')
  const settings = plans.map(resolveOptions)
  expect(settings.length).toBeGreaterThan(1)
  expect(new Set(settings.map(({ device }) => device)).size).toBe(settings.length)
  expect(settings.every(({ models }) => models.includes('llama-3.1-8b'))).toBe(true)
})
