import { expect, test } from 'vitest'
import { FreePorts } from '#agent/free-ports.ts'

/** As a system that gives these, one after the other, and then the first again. */
function systemOf(ports: readonly number[]): () => Promise<number> {
  let at = 0
  return async () => ports[at++ % ports.length] as number
}

test('no port is given twice, and none that a replica has', async () => {
  const ports = new FreePorts((port) => port === 8_001, systemOf([8_000, 8_000, 8_001, 8_002]))
  expect([await ports.next(), await ports.next()]).toEqual([8_000, 8_002])
})

test('a replica that fails to start every minute for a year does not use up the ports', async () => {
  const ports = new FreePorts(() => false, systemOf(Array.from({ length: 1_500 }, (_, at) => at)))
  for (let minute = 0; minute < 20_000; minute += 1) await ports.next()
  expect(await ports.next()).toBe(20_000 % 1_500)
})

test('ports of the system are free', async () => {
  const ports = new FreePorts(() => false)
  const [one, other] = [await ports.next(), await ports.next()]
  expect(one).toBeGreaterThan(0)
  expect(other).not.toBe(one)
})
