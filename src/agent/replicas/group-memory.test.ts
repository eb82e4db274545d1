import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { groupMemory, readPsMemory, readStatusBytes } from '#agent/replicas/group-memory.ts'

test('the resident set, and the files in it, are read in units of 1024 bytes', () => {
  const status = 'VmHWM:\t   90000 kB\nVmRSS:\t   81920 kB\nRssAnon:\t 1 kB\nRssFile:\t 1024 kB\n'
  expect(readStatusBytes(status, 'VmRSS')).toBe(83_886_080)
  expect(readStatusBytes(status, 'RssFile')).toBe(1_048_576)
  expect(readStatusBytes('Name:\tkthreadd\n', 'VmRSS')).toBeNull()
})

test('of all processes those of the group are taken', () => {
  const text = '    1     1   9000\n  412   412  81920\n  412   415   1024\n   41   412    512\n'
  expect(readPsMemory(text, 412)).toEqual([
    { pid: 412, residentBytes: 83_886_080, mappedBytes: 0 },
    { pid: 415, residentBytes: 1_048_576, mappedBytes: 0 },
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
