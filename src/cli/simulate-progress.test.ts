import { expect, test } from 'vitest'
import { simulateProgress } from '#cli/simulate-progress.ts'

function watched(isTTY: boolean) {
  const written: string[] = []
  const clock = { nowMs: 0 }
  const stream = { isTTY, write: (text: string) => written.push(text) }
  return { written, clock, progress: simulateProgress(stream, () => clock.nowMs) }
}

test('how long many requests take is said before, and little is not worth a word', () => {
  const many = watched(false)
  many.progress.begin([800_000, 800_000])
  expect(many.written).toEqual(['2 runs of 1.6 million requests in all: about 3 min 20 s\n'])
  const few = watched(false)
  few.progress.begin([1_000, 1_000])
  expect(few.written).toEqual([])
})

test('behind a pipe there is a line every ten seconds, with the time that is left', () => {
  const { written, clock, progress } = watched(false)
  progress.begin([1_000])
  for (clock.nowMs = 1_000; clock.nowMs <= 20_000; clock.nowMs += 1_000) {
    progress.progress(clock.nowMs / 80_000)
  }
  progress.end()
  expect(written).toEqual([
    '12 % simulated, about 1 min 10 s left\n',
    '25 % simulated, about 1 min 0 s left\n',
  ])
})

test('on a terminal one line is drawn over itself, and gone at the end', () => {
  const { written, clock, progress } = watched(true)
  progress.begin([1_000])
  clock.nowMs = 100
  progress.progress(0.1)
  expect(written).toEqual([])
  clock.nowMs = 1_000
  progress.progress(0.5)
  progress.end()
  expect(written).toEqual(['\r\u001b[K50 % simulated, about 1 s left', '\r\u001b[K'])
})

test('from the first moments of a run nobody is told how long it takes', () => {
  const { written, clock, progress } = watched(true)
  progress.begin([1_000])
  clock.nowMs = 1_000
  progress.progress(0.0003)
  clock.nowMs = 2_000
  progress.progress(0.08)
  expect(written).toEqual(['\r\u001b[K0 % simulated', '\r\u001b[K8 % simulated, about 23 s left'])
})
