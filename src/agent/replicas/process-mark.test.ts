import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import {
  isGroupRunning,
  isRunning,
  markOf,
  readPsGroups,
  readPsStart,
  signalGroup,
} from '#agent/replicas/process-mark.ts'

test('where there is no /proc, ps says the same', () => {
  expect(readPsStart('Ss   Sat Nov 21 10:57:00 2026\n')).toBe('Sat Nov 21 10:57:00 2026')
  expect(readPsStart('Z+   Sat Nov 21 10:57:00 2026\n')).toBeNull()
  expect(readPsStart('')).toBeNull()
  expect(readPsGroups('    1 Ss\n  412 S+\n  412 R\n  500 Z\n')).toEqual(new Set([1, 412]))
})

test('a mark fits its process until that ends', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const mark = await markOf(child.pid as number)
  if (mark === null) throw new Error('it has a mark')
  expect(await isRunning(mark)).toBe(true)
  expect(await isRunning({ ...mark, started: `${mark.started}0` })).toBe(false)
  expect(await isGroupRunning(mark.pid)).toBe(true)
  expect(signalGroup(mark.pid, 'SIGKILL')).toBe(true)
  await exited
  expect(await isRunning(mark)).toBe(false)
  expect(await isGroupRunning(mark.pid)).toBe(false)
  expect(signalGroup(mark.pid, 'SIGKILL')).toBe(false)
})
