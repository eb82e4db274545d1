import { expect, onTestFinished, test } from 'vitest'
import { onStopSignals } from '#cli/stop-signals.ts'

function listening() {
  let nowMs = 0
  const happened: string[] = []
  const free = onStopSignals(() => happened.push('stop'), {
    nowMs: () => nowMs,
    exit: (code) => happened.push(`exit ${code}`),
  })
  onTestFinished(free)
  const press = (atMs: number) => {
    nowMs = atMs
    process.emit('SIGINT')
    return happened
  }
  return { press, free }
}

test('one wish to stop that arrives twice is one', () => {
  const { press } = listening()
  press(1_000)
  expect(press(1_020)).toEqual(['stop'])
})

test('whoever presses it again does not wait', () => {
  const { press } = listening()
  press(1_000)
  press(1_010)
  expect(press(1_900)).toEqual(['stop', 'exit 130'])
})

test('signals that are given back are heard no more', () => {
  const before = process.listenerCount('SIGINT')
  const { free } = listening()
  expect(process.listenerCount('SIGINT')).toBe(before + 1)
  free()
  expect(process.listenerCount('SIGINT')).toBe(before)
})
