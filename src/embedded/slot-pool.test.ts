import { expect, test } from 'vitest'
import { SlotPool } from '#embedded/slot-pool.ts'

const never = new AbortController().signal

/** A pool whose sequences are nothing but their caches. */
function poolOf(...caches: readonly (readonly number[])[]): SlotPool<readonly number[]> {
  return new SlotPool(caches, (cache) => cache)
}

test.each([
  { why: 'the longest shared beginning', caches: [[1], [1, 2, 3], [1, 2]], slot: 1 },
  { why: 'the first free one when nothing is shared', caches: [[7], [8]], slot: 0 },
  {
    why: 'an idle one rather than a long conversation that shares only the template',
    caches: [[], [1, 2, 50, 51, 52, 53, 54, 55, 56, 57]],
    slot: 0,
  },
])('a prompt goes to $why', async ({ caches, slot }) => {
  const granted = await poolOf(...caches).acquire([1, 2, 3, 4, 5], never)
  expect(granted.id).toBe(slot)
})

test('a slot that was just used is the last to be overwritten', async () => {
  const pool = poolOf([], [])
  pool.release(await pool.acquire([1], never))
  expect((await pool.acquire([2], never)).id).toBe(1)
})

test('requests wait in the order in which they came', async () => {
  const pool = poolOf([])
  const first = await pool.acquire([1], never)
  const order: string[] = []
  const second = pool.acquire([2], never).then((slot) => {
    order.push('second')
    pool.release(slot)
  })
  const third = pool.acquire([3], never).then((slot) => {
    order.push('third')
    pool.release(slot)
  })
  expect(pool.waitingCount).toBe(2)
  pool.release(first)
  await Promise.all([second, third])
  expect(order).toEqual(['second', 'third'])
  expect(pool.busyCount).toBe(0)
})

test('a request that leaves the queue takes no slot', async () => {
  const pool = poolOf([])
  const first = await pool.acquire([1], never)
  const leaving = new AbortController()
  const left = pool.acquire([2], leaving.signal)
  leaving.abort(new Error('gone'))
  await expect(left).rejects.toThrow('gone')
  expect(pool.waitingCount).toBe(0)
  pool.release(first)
  expect(pool.busyCount).toBe(0)
})

test('a request that was aborted before it came is refused', async () => {
  await expect(poolOf([]).acquire([1], AbortSignal.abort(new Error('gone')))).rejects.toThrow(
    'gone',
  )
})
