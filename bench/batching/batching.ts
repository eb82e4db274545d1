/**
 * How fast the engine timing model runs: one device is kept full with requests of a chat's sizes,
 * and the steps and stream-steps (one sequence in one step) are counted.
 *
 *     npm run bench:batching
 */
import { BatchScheduler } from '#batching/batch-scheduler.ts'
import { deviceModels } from '#batching/device-models.ts'
import { stepTimeOf } from '#batching/step-time.ts'
import { seededChance } from '#std/seeded-chance.ts'

const requests = 40_000

function run(title: string, ratePerSecond: number, stepsAtOnce: number): void {
  const { stepTime, seats, kvTokens } = deviceModels['h100-sxm']
  const scheduler = new BatchScheduler({
    stepTime: stepTimeOf(stepTime),
    seats,
    kvTokens,
    behaviour: { kind: 'vllm' },
    stepsAtOnce,
  })
  const chance = seededChance(1)
  let events = 0
  let nowMs = 0
  const startedMs = performance.now()
  const runUntil = (untilMs: number) => {
    while (scheduler.stepDueMs <= untilMs && Number.isFinite(scheduler.stepDueMs)) {
      scheduler.runStep()
      events += 1
    }
  }
  for (let id = 0; id < requests; id += 1) {
    nowMs += (-Math.log(1 - chance()) * 1000) / ratePerSecond
    runUntil(nowMs)
    const promptTokens = 100 + Math.floor(2000 * chance() * chance())
    const outputTokens = 1 + Math.floor(430 * chance())
    scheduler.submit({ id, promptTokens, outputTokens }, nowMs)
  }
  runUntil(Number.POSITIVE_INFINITY)
  const seconds = (performance.now() - startedMs) / 1000
  const { stepsTotal, outputTokensTotal, busyMsTotal } = scheduler.load(nowMs)
  const million = (count: number) => `${(count / seconds / 1e6).toFixed(2)} M/s`
  console.log(
    `${title.padEnd(34)} ${million(outputTokensTotal).padStart(11)} ` +
      `${million(stepsTotal).padStart(10)} ${million(events + requests).padStart(10)} ` +
      `${(busyMsTotal / 1000 / seconds).toFixed(0).padStart(8)} x`,
  )
}

console.log(
  `${''.padEnd(34)} ${'stream-steps'.padStart(11)} ${'steps'.padStart(9)} ${'events'.padStart(10)} ${'real time'.padStart(10)}`,
)
// The first round lets the compiler warm up; the second is what counts.
for (const round of ['first', 'second']) {
  console.log(`\n${round} round`)
  run('light: 2 requests/s', 2, Number.POSITIVE_INFINITY)
  run('busy: 15 requests/s', 15, Number.POSITIVE_INFINITY)
  run('busy, one step at a time', 15, 1)
  run('overload: 60 requests/s', 60, Number.POSITIVE_INFINITY)
}
