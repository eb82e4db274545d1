import { expect, test } from 'vitest'
import { procPids, procStat, readProcStat } from '#std/proc-stat.ts'

/** 52 fields, of which ours are the state, the parent, the group and the start. */
const stat = (name: string, state: string): string =>
  `412 (${name}) ${state} 1 400 400 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 359449 3133440 394 0`

test('a process may be called as it likes', () => {
  for (const name of ['node', 'VLLM::EngineCore', 'a b', ') R 1 2 (', '((']) {
    expect(readProcStat(stat(name, 'S'))).toEqual({
      state: 'S',
      parentPid: 1,
      groupPid: 400,
      startTicks: 359_449,
    })
  }
})

test('a stopped process is there, one that has ended is not', () => {
  expect(readProcStat(stat('node', 'T'))).not.toBeNull()
  expect(readProcStat(stat('node', 'Z'))).toBeNull()
  expect(readProcStat('')).toBeNull()
})

test.skipIf(process.platform !== 'linux')('this process finds itself and its parent', async () => {
  expect(await procPids()).toContain(process.pid)
  expect((await procStat(process.pid))?.parentPid).toBe(process.ppid)
})
