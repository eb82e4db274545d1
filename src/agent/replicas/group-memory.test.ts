import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { groupMemory, readPsMemory, readVmRss } from '#agent/replicas/group-memory.ts'

test('the resident set is read in units of 1024 bytes', () => {
  expect(readVmRss('VmHWM:\t   90000 kB\nVmRSS:\t   81920 kB\nRssAnon:\t 1 kB\n')).toBe(83_886_080)
  expect(readVmRss('Name:\tkthreadd\n')).toBeNull()
})

test('of all processes those of the group are taken', () => {
  const text = '    1     1   9000\n  412   412  81920\n  412   415   1024\n   41   412    512\n'
  expect(readPsMemory(text, 412)).toEqual([
    { pid: 412, residentBytes: 83_886_080 },
    { pid: 415, residentBytes: 1_048_576 },
  ])
})

test('a process that fills 64 MiB has at least these, with its child beside it', async () => {
  const child = `setInterval(() => {}, 1e3)`
  const program = `
    const bytes = Buffer.alloc(64 * 1024 * 1024, 1)
    const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}])
    child.once('spawn', () => console.log(bytes.length))
    process.once('SIGTERM', () => { child.kill(); process.exit() })`
  const leader = spawn(process.execPath, ['-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    await once(leader.stdout as NodeJS.ReadableStream, 'data')
    const processes = await groupMemory(leader.pid as number)
    expect(processes).toHaveLength(2)
    const own = processes.find(({ pid }) => pid === leader.pid)?.residentBytes ?? 0
    expect(own).toBeGreaterThan(64 * 2 ** 20)
    expect(own).toBeLessThan(512 * 2 ** 20)
  } finally {
    process.kill(-(leader.pid as number), 'SIGKILL')
  }
})
