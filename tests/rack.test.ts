/** User story 1: two clusters behind one API, weights 3 to 1, one of them killed under load. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { chat, fleet, readEvents } from './harness/fleet.ts'
import { untilTrue } from './harness/until-true.ts'

interface Box {
  readonly url: string
  readonly process: ChildProcess
}

/** `motley emulate` as a process of its own, so that SIGKILL is real. */
async function box(port: number, slots: number): Promise<Box> {
  const child = spawn(
    process.execPath,
    [
      ...['bin/motley', 'emulate', '--engine', 'vllm', '--json', '--port', String(port)],
      ...['--slots', String(slots), '--prefill-rate', '20000', '--decode-rate', '25'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  afterTest(() => {
    child.kill('SIGKILL')
  })
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    return { url: (JSON.parse(line) as { url: string }).url, process: child }
  }
  throw new Error('the emulator ended before it said its address')
}

test('a rack shares its load by weight, loses no answer to a SIGKILL, begun or not, and takes the box back', async () => {
  const strong = await box(0, 256)
  const weak = await box(0, 256)
  const { url, rows, until, gateway } = await fleet({
    endpoints: [
      { name: 'rtx', url: strong.url, weight: 3, health: { intervalMs: 200 } },
      { name: 'amd', url: weak.url, weight: 1, health: { intervalMs: 200 } },
    ],
    // Weights decide alone: three to one is what is asserted, whatever the boxes are measured to do.
    routing: { strategy: 'least-connections', slowStartMs: 3_000 },
  })
  await until('slow start is nearly over', (now) => now.every((row) => row.effectiveWeight >= 1))
  const answers = Array.from({ length: 200 }, async (_, index) => {
    const response = await chat(url, { stream: true, max_tokens: 300, seed: index })
    const headersMs = performance.now()
    return { response, headersMs, ...(await readEvents(response)) }
  })
  await untilTrue('half of the requests are in flight', () => gateway.vitals.inFlight >= 100, {
    seen: () => gateway.vitals,
  })
  const loaded = await rows()
  const inFlight = (name: string) => loaded.find((row) => row.name === name)?.inFlight ?? 0
  expect(inFlight('rtx') / inFlight('amd')).toBeGreaterThan(2.7)
  expect(inFlight('rtx') / inFlight('amd')).toBeLessThan(3.3)

  strong.process.kill('SIGKILL')
  const results = await Promise.all(answers)
  const words = (event: string) => JSON.parse(event).choices?.[0]?.delta?.content
  for (const { response, events, broken } of results) {
    expect(response.status).toBe(200)
    expect([broken, events.at(-1)]).toEqual([false, '[DONE]'])
    expect(events.slice(0, -1).filter(words)).toHaveLength(300)
  }
  await until(
    'the killed box is out',
    (now) => now.find((row) => row.name === 'rtx')?.state === 'failed',
  )
  expect((await chat(url)).headers.get('x-motley-endpoint')).toBe('amd')

  await box(Number(new URL(strong.url).port), 256)
  const back = await until(
    'the killed box is back',
    (now) => now.find((row) => row.name === 'rtx')?.state === 'ready',
  )
  expect(back.find((row) => row.name === 'rtx')?.effectiveWeight).toBeLessThan(3)
  await until(
    'the killed box has its whole weight again',
    (now) => now.find((row) => row.name === 'rtx')?.effectiveWeight === 3,
  )
  expect(Object.values(gateway.vitals.inFlightByEndpoint)).toEqual([0, 0])
}, 60_000)
