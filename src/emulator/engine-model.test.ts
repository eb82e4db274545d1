import { expect, test } from 'vitest'
import { engineModelOf } from '#emulator/engine-model.ts'

const nothing = {
  device: undefined,
  slots: undefined,
  kvTokens: undefined,
  batchTokens: undefined,
  prefillTokensPerSecond: undefined,
  decodeTokensPerSecond: undefined,
  isInstant: false,
}

test('a device brings its step times, seats and room, and is known by two rates', () => {
  expect(engineModelOf({ ...nothing, engine: 'vllm', device: 'rtx-4090' })).toMatchObject({
    stepTime: { linear: { kind: 'table' } },
    behaviour: { kind: 'vllm', batchTokens: 2048 },
    slots: 256,
    kvTokens: 41_408,
    decodeTokensPerSecond: 58.8,
    prefillTokensPerSecond: 11_005,
  })
})

test('a rate that is given stands for the step times, and the other is the device’s', () => {
  const model = engineModelOf({
    ...nothing,
    engine: 'llama-server',
    device: 'm2-ultra-76',
    decodeTokensPerSecond: 50,
  })
  expect(model).toMatchObject({
    stepTime: { linear: { kind: 'rates', decodeMs: 20, prefillMsPerToken: 1000 / 996 } },
    slots: 16,
  })
})

test('Ollama decodes one at a time on whatever device', () => {
  expect(engineModelOf({ ...nothing, engine: 'ollama', device: 'rtx-3090' }).slots).toBe(1)
})

test('an instant engine takes no time, whatever rates are given', () => {
  const model = engineModelOf({
    ...nothing,
    engine: 'vllm',
    device: 'l4',
    decodeTokensPerSecond: 3,
    isInstant: true,
  })
  expect(model.stepTime.linear).toEqual({ kind: 'rates', decodeMs: 0, prefillMsPerToken: 0 })
})
