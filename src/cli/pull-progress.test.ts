import { expect, test } from 'vitest'
import { PullProgress } from '#cli/pull-progress.ts'
import type { PullEvent } from '#weights/pull.ts'

/** What is written for these events, each a second after the one before. */
function shown(isTerminal: boolean, events: readonly PullEvent[]): string {
  let text = ''
  let nowMs = 0
  const progress = new PullProgress({
    isTerminal,
    columns: 80,
    write: (part) => (text += part),
    nowMs: () => nowMs,
  })
  for (const event of events) {
    nowMs += 1000
    progress.show(event)
  }
  progress.end()
  return text
}

const events: PullEvent[] = [
  { kind: 'planned', files: 1, totalBytes: 400e6 },
  { kind: 'file', path: 'a.gguf', sizeBytes: 400e6, action: 'downloading', from: 'huggingface.co' },
  { kind: 'progress', bytes: 100e6, transferred: true },
  { kind: 'waiting', reason: 'huggingface.co closed the connection', waitMs: 700 },
  { kind: 'waiting', reason: 'huggingface.co closed the connection', waitMs: 700 },
  { kind: 'progress', bytes: 10e6, transferred: true },
  { kind: 'progress', bytes: 290e6, transferred: true },
]

test('in a log, a line for each file and each tenth that is new', () => {
  expect(shown(false, events)).toBe(`1 file, 400 MB
  a.gguf: download, from huggingface.co, 400 MB
   25%  100 MB of 400 MB  33.3 MB/s  9 s left
  huggingface.co closed the connection; again in 1 s
  100%  400 MB of 400 MB  57.1 MB/s
`)
})

test('on a terminal, one line that is drawn over itself and goes away in the end', () => {
  const lines = shown(true, events).split('\r')
  expect(lines[1]).toBe(
    '[#####---------------]  25%  100 MB of 400 MB  33.3 MB/s  9 s left\u001b[K',
  )
  expect(lines.at(-1)).toBe('\u001b[K')
  for (const line of lines) expect(line.split('\n')[0]?.length).toBeLessThan(84)
})
