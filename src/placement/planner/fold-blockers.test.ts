import { expect, test } from 'vitest'
import type { Blocker } from '#placement/fit.ts'
import { foldBlockers } from '#placement/planner/fold-blockers.ts'

const slow = (ms: number): Blocker => ({
  check: 'targets',
  what: `tpot ${ms} ms expected, at most 30 ms asked for`,
  unlockedBy: null,
  excess: { of: 'targets', ratio: ms / 30 },
})

test('of several that miss a target, the nearest is told, with how many there were', () => {
  expect(foldBlockers([slow(267), slow(126), slow(140), slow(126)])).toEqual([
    {
      ...slow(126),
      what: 'tpot 126 ms expected, at most 30 ms asked for; 3 ways were tried, and this is the nearest',
    },
  ])
})

test('what differs in more than an amount stays apart, each once', () => {
  const full = (device: string): Blocker => ({
    check: 'memory',
    what: `${device} is full`,
    unlockedBy: null,
    excess: { of: device, ratio: 2 },
  })
  const taint: Blocker = { check: 'taints', what: 'a taint', unlockedBy: null }
  const given = [full('nvidia-0'), taint, full('nvidia-1'), taint, full('nvidia-0')]
  expect(foldBlockers(given)).toEqual([full('nvidia-0'), taint, full('nvidia-1')])
})

test('what is folded keeps the names of all nodes that it was found on', () => {
  const on = (ms: number, ...nodes: string[]): Blocker => ({ ...slow(ms), on: nodes })
  const [folded] = foldBlockers([on(267, 'desk'), on(126, 'rack'), on(126, 'desk')])
  expect(folded?.on).toEqual(['desk', 'rack'])
})
