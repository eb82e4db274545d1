import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import {
  isGroupRunning,
  isRunning,
  markOf,
  readProcStat,
  readPsGroups,
  readPsStart,
  signalGroup,
} from '#agent/replicas/process-mark.ts'

/** 52 fields, of which ours are the state, the group and the start. */
const stat = (name: string, state: string): string =>
  `412 (${name}) ${state} 1 400 400 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 359449 3133440 394 0`

test('a process may be called as it likes', () => {
  for (const name of ['node', 'VLLM::EngineCore', 'a b', ') R 1 2 (', '((']) {
    expect(readProcStat(stat(name, 'S'))).toEqual({ groupPid: 400, startTicks: 359_449 })
  }
})

test('a stopped process is there, one that has ended is not', () => {
  expect(readProcStat(stat('node', 'T'))).not.toBeNull()
  expect(readProcStat(stat('node', 'Z'))).toBeNull()
  expect(readProcStat('')).toBeNull()
})

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
