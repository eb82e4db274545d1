/** What `motley load` sends when: a scenario, as its options say it, or a recorded trace. */
import { CommandFailure } from '#cli/command-failure.ts'
import { durationOf, numberOf } from '#cli/load-values.ts'
import {
  type Arrival,
  chatArrivals,
  type Load,
  promptLengthArrivals,
  rampArrivals,
  stressArrivals,
  traceArrivals,
} from '#loadtest/arrival.ts'
import type { Trace } from '#simulator/traces/trace.ts'
import { seededChance } from '#std/seeded-chance.ts'

export interface ArrivalOptions {
  readonly rate?: string
  readonly duration?: string
  readonly promptTokens?: string
  readonly outputTokens?: string
  readonly trace?: string
  readonly timeScale?: string
  readonly seed?: string
}

const scenarios = {
  chat: chatArrivals,
  ramp: rampArrivals,
  stress: stressArrivals,
  'prompt-length': promptLengthArrivals,
} as const

export type Scenario = keyof typeof scenarios | 'trace'

export const scenarioNames: readonly Scenario[] = [
  'chat',
  'ramp',
  'stress',
  'prompt-length',
  'trace',
]

/** @throws {CommandFailure} */
export function scenarioOf(given: string | undefined, options: ArrivalOptions): Scenario {
  const name = given ?? (options.trace === undefined ? 'chat' : 'trace')
  const scenario = scenarioNames.find((known) => known === name)
  if (scenario === undefined) {
    throw new CommandFailure(
      'wrong',
      `there is no scenario "${name}"; there are ${scenarioNames.join(', ')}`,
    )
  }
  if (scenario === 'trace' && options.trace === undefined) {
    throw new CommandFailure('wrong', 'the scenario trace needs a file: --trace traces/…')
  }
  refuseOptionsOfOthers(scenario, options)
  return scenario
}

/** What a trace has by itself, and what only a trace can be given. */
const drawnOptions = {
  rate: '--rate',
  promptTokens: '--prompt-tokens',
  outputTokens: '--output-tokens',
  seed: '--seed',
} as const
const traceOptions = { trace: '--trace', timeScale: '--time-scale' } as const

/** An option that has no effect is a mistake of whoever gave it. @throws {CommandFailure} */
function refuseOptionsOfOthers(scenario: Scenario, options: ArrivalOptions): void {
  const others = Object.entries(scenario === 'trace' ? drawnOptions : traceOptions)
  const [, option] =
    others.find(([key]) => options[key as keyof ArrivalOptions] !== undefined) ?? []
  if (option === undefined) return
  const drawn = scenarioNames.filter((name) => name !== 'trace').join(', ')
  throw new CommandFailure(
    'wrong',
    scenario === 'trace'
      ? `${option} is for ${drawn}: a trace says itself what comes and when; --time-scale changes its pace`
      : `${option} is for the scenario trace, not for ${scenario}`,
  )
}

/** At least one, and none too long. @throws {CommandFailure} */
export async function arrivalsOf(scenario: Scenario, options: ArrivalOptions): Promise<Arrival[]> {
  const arrivals = await drawnOrRecorded(scenario, options)
  if (arrivals.length === 0) {
    throw new CommandFailure(
      'wrong',
      'no request is due in that time: raise --rate or --duration, or look at the trace',
    )
  }
  const longest = arrivals.reduce((most, { promptTokens }) => Math.max(most, promptTokens), 0)
  refuseAbove(tokensMax, 'a prompt', longest, '--prompt-tokens')
  const wordiest = arrivals.reduce((most, { outputTokens }) => Math.max(most, outputTokens), 0)
  refuseAbove(tokensMax, 'an answer', wordiest, '--output-tokens')
  return arrivals
}

async function drawnOrRecorded(scenario: Scenario, options: ArrivalOptions): Promise<Arrival[]> {
  const durationMs = durationOf(options.duration ?? '60s', '--duration')
  if (scenario === 'trace') {
    const timeScale = numberOf(options.timeScale ?? '1', '--time-scale')
    return traceArrivals(await traceRows(options.trace ?? ''), {
      timeScale,
      durationMs: options.duration === undefined ? null : durationMs,
    })
  }
  const load: Load = {
    requestsPerSecond: numberOf(options.rate ?? '1', '--rate'),
    durationMs,
    lengths: {
      promptTokens: numberOf(options.promptTokens ?? '500', '--prompt-tokens', { whole: true }),
      outputTokens: numberOf(options.outputTokens ?? '100', '--output-tokens', { whole: true }),
    },
  }
  if ((load.requestsPerSecond * durationMs) / 1_000 > requestsMax) {
    throw new CommandFailure(
      'wrong',
      `that is more than ${requestsMax} requests; lower --rate or --duration`,
    )
  }
  const seed = numberOf(options.seed ?? '1', '--seed', { whole: true, zero: true })
  return scenarios[scenario](load, seededChance(seed))
}

async function traceRows(path: string): Promise<Trace['requests']> {
  const [{ loadTrace }, { TraceError }] = await Promise.all([
    import('#simulator/traces/load-trace.ts'),
    import('#simulator/traces/parse-trace.ts'),
  ])
  try {
    return (await loadTrace(path)).requests
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    throw new CommandFailure('wrong', error.message, { cause: error })
  }
}

/** No model has a longer context, and longer texts would fill this process before any engine. */
const tokensMax = 10_000_000

function refuseAbove(most: number, what: string, tokens: number, option: string): void {
  if (tokens <= most) return
  throw new CommandFailure(
    'wrong',
    `${what} of ${tokens} tokens is above ${most}: lower ${option}, or look at the trace`,
  )
}

/** All of them are drawn before the first goes out. */
const requestsMax = 1_000_000
