import { expect, test } from 'vitest'
import { StepGate } from '#embedded/step-gate.ts'

test('steps pass at once while no task waits', () => {
  expect(new StepGate().pass()).toBeUndefined()
})

test('steps wait until the last of several tasks is done', async () => {
  const gate = new StepGate()
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  const tasks = [gate.exclusive(() => first.promise), gate.exclusive(() => second.promise)]
  let passed = false
  const step = gate.pass()?.then(() => {
    passed = true
  })
  first.resolve()
  await tasks[0]
  expect(passed).toBe(false)
  second.resolve()
  await step
  expect(gate.pass()).toBeUndefined()
})

test('a task that fails opens the gate as well', async () => {
  const gate = new StepGate()
  await expect(gate.exclusive(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(gate.pass()).toBeUndefined()
})
