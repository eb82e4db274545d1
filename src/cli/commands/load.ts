import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, gatewayUrl, NoAnswerFailure, withGatewayOptions } from '#cli/gateway-client.ts'
import { loadText } from '#cli/load-text.ts'
import { durationOf, numberOf, sloOf } from '#cli/load-values.ts'
import { onStopSignals, stoppedExitCode } from '#cli/stop-signals.ts'
import { logLine, printJson } from '#cli/terminal.ts'
import {
  type Arrival,
  chatArrivals,
  type Load,
  promptLengthArrivals,
  rampArrivals,
  stressArrivals,
  traceArrivals,
} from '#loadtest/arrival.ts'
import type { ChatTarget } from '#loadtest/chat-request.ts'
import { loadReport } from '#loadtest/load-report.ts'
import type { LoadProgress } from '#loadtest/run-load.ts'
import {
  judge,
  readThreshold,
  type Threshold,
  thresholdProblem,
  type Verdict,
} from '#loadtest/threshold.ts'
import type { Trace } from '#simulator/traces/trace.ts'
import { closest } from '#std/closest.ts'
import { seededChance } from '#std/seeded-chance.ts'

interface LoadArguments {
  readonly url?: string
  readonly model?: string
  readonly rate?: string
  readonly duration?: string
  readonly promptTokens?: string
  readonly outputTokens?: string
  readonly trace?: string
  readonly timeScale?: string
  readonly slo?: string
  readonly threshold?: readonly string[]
  readonly timeout?: string
  readonly maxInFlight?: string
  readonly seed?: string
  readonly honourEnd?: boolean
  readonly json?: boolean
}

const scenarios = {
  chat: chatArrivals,
  ramp: rampArrivals,
  stress: stressArrivals,
  'prompt-length': promptLengthArrivals,
} as const

type Scenario = keyof typeof scenarios | 'trace'

const scenarioNames: readonly Scenario[] = ['chat', 'ramp', 'stress', 'prompt-length', 'trace']

export function addLoadCommand(program: Command): void {
  withGatewayOptions(program.command('load'))
    .description('Send requests as users do, and measure how fast they are answered.')
    .argument('[scenario]', `${scenarioNames.join(', ')} (default chat)`)
    .option('--model <name>', 'what to ask for (default: the only one there is)')
    .option('--rate <requests/s>', 'how many come (default 1)')
    .option('--duration <time>', 'how long they come, as 60s or 5m (default 60s)')
    .option('--prompt-tokens <number>', 'mean length of prompts (default 500)')
    .option('--output-tokens <number>', 'mean length of answers (default 100)')
    .option('--trace <file>', 'a recorded trace, for the scenario trace')
    .option('--time-scale <factor>', 'stretches the times of a trace; 0.5: twice as fast')
    .option('--slo <targets>', 'what a good answer holds (default "ttft=2s,tpot=100ms")')
    .option(
      '--threshold <condition>',
      'what must hold, as "p95(e2e)<5s"; may be repeated',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
    .option('--timeout <time>', 'when a request is given up (default 300s)')
    .option('--max-in-flight <number>', 'the most requests at a time (default 2000)')
    .option('--seed <number>', 'decides when requests come and how long they are (default 1)')
    .option('--honour-end', 'let answers end where the model ends them')
    .option('--json', 'print the figures as JSON')
    .addHelpText(
      'after',
      `
Requests come whether or not earlier ones were answered, and their times start
when they were due. Exit code 1: a threshold does not hold; where none is of
"failed" or "goodput", also that most requests failed. Thresholds:
  p95(ttft)<2s       mean, p50, p90, p95, p99 or max of ttft, tpot or e2e
  failed<1%          requests that were not answered whole
  goodput>90%        requests that held --slo
  output>100         tokens written a second;  rate>5: answers a second`,
    )
    .action(load)
}

async function load(given: string | undefined, options: LoadArguments): Promise<void> {
  const scenario = scenarioOf(given, options)
  const slo = sloOf(options.slo ?? 'ttft=2s,tpot=100ms')
  const thresholds = (options.threshold ?? []).map((text) => {
    const threshold = readThreshold(text)
    if (threshold !== null) return threshold
    throw new CommandFailure('wrong', thresholdProblem(text))
  })
  // Whole, as timers of signals take nothing else: 2.3 s are 2299.9999999999995 ms.
  const timeoutMs = Math.ceil(durationOf(options.timeout ?? '300s', '--timeout'))
  const maxInFlight = numberOf(options.maxInFlight ?? '2000', '--max-in-flight', { whole: true })
  const arrivals = await arrivalsOf(scenario, options)
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
  const gateway = { url: options.url }
  const stop = new AbortController()
  const signalsFree = onStopSignals(() =>
    stop.abort(new CommandFailure('stopped', 'stopped; nothing was sent')),
  )
  const model = await modelToAsk(options.model, gateway, stop.signal)
  const [{ Agent }, { chatRequest }, { runLoad }, { systemClock }] = await Promise.all([
    import('undici'),
    import('#loadtest/chat-request.ts'),
    import('#loadtest/run-load.ts'),
    import('#std/clock.ts'),
  ])
  const dispatcher = new Agent({ connections: null, pipelining: 1, connectTimeout: timeoutMs })
  const base = (await gatewayUrl(gateway)).replace(/\/+$/, '').replace(/\/v1$/, '')
  const target = {
    url: base,
    model,
    apiKey: process.env['MOTLEY_KEY'] || null,
    dispatcher,
    timeoutMs,
    ignoresEnd: options.honourEnd !== true,
    nowMs: systemClock.nowMs,
  }
  await warmUp(target, stop.signal)
  logLine(beginText(scenario, arrivals, model, base))
  const progress = progressTo(process.stderr)
  const run = await runLoad({
    arrivals,
    send: (arrival, index, startedAtMs, signal) =>
      chatRequest(target, arrival, index, startedAtMs, signal),
    clock: systemClock,
    maxInFlight,
    signal: stop.signal,
    onProgress: progress.show,
  })
  progress.end()
  signalsFree()
  await dispatcher.destroy()
  const report = loadReport(run.samples, slo, run.durationMs)
  const verdicts = thresholds.map((threshold) => judge(threshold, report))
  const { lateRequests, heldRequests, lateMsMax, stopped } = run
  const late = { lateRequests, heldRequests, lateMsMax }
  if (options.json) {
    const { seed = '1' } = options
    printJson({ scenario, model, seed, ...report, ...late, stopped, thresholds: verdicts })
  } else {
    console.log(loadText({ report, verdicts, late, maxInFlight, stopped }))
  }
  // Thresholds are for the whole of it.
  if (stopped) process.exitCode = stoppedExitCode
  else endWith(report, run.samples, { thresholds, verdicts }, base)
}

/**
 * The first request of a process takes a tenth of a second of computing, in which the next ones would
 * be late. This one is no part of the load, and whatever comes of it is told by those that are.
 */
async function warmUp({ url, dispatcher }: ChatTarget, stop: AbortSignal): Promise<void> {
  const { request } = await import('undici')
  const signal = AbortSignal.any([stop, AbortSignal.timeout(warmUpMsMax)])
  const answer = await request(`${url}/v1/models`, { dispatcher, signal }).catch(() => null)
  await answer?.body.dump().catch(() => {})
  stop.throwIfAborted()
}

const warmUpMsMax = 2_000

function endWith(
  report: ReturnType<typeof loadReport>,
  samples: readonly { readonly outcome: { readonly kind: string; readonly detail?: string } }[],
  judged: { readonly thresholds: readonly Threshold[]; readonly verdicts: readonly Verdict[] },
  base: string,
): void {
  const [first] = samples
  if (report.answered === 0 && first?.outcome.kind === 'unreachable') {
    throw new CommandFailure(
      'unreachable',
      `nothing answers at ${base} (${first.outcome.detail}): start "motley up", or name it with --url`,
    )
  }
  const failed = judged.verdicts.filter(({ holds }) => !holds)
  if (failed.length > 0) {
    const which = failed.map(({ threshold }) => threshold).join(', ')
    throw new CommandFailure(
      'no',
      `${failed.length === 1 ? 'a threshold does' : 'thresholds do'} not hold: ${which}`,
    )
  }
  if (report.answered === 0) throw new CommandFailure('no', 'no request was answered')
  const isSaid = judged.thresholds.some(({ figure }) => /^(failed|goodput)$/.test(figure.kind))
  if (!isSaid && report.failedRatio > failedRatioMax) {
    const { requests, answered } = report
    throw new CommandFailure(
      'no',
      `most requests failed: ${requests - answered} of ${requests}; --threshold "failed<…" says how many may`,
    )
  }
}

/**
 * A run in which most fail has measured the failures: its times are of the few that came through. Up
 * to here it may be what a load is for, as `stress` shows where a fleet begins to refuse.
 */
const failedRatioMax = 0.5

function scenarioOf(given: string | undefined, options: LoadArguments): Scenario {
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
function refuseOptionsOfOthers(scenario: Scenario, options: LoadArguments): void {
  const others = Object.entries(scenario === 'trace' ? drawnOptions : traceOptions)
  const [, option] = others.find(([key]) => options[key as keyof LoadArguments] !== undefined) ?? []
  if (option === undefined) return
  const drawn = scenarioNames.filter((name) => name !== 'trace').join(', ')
  throw new CommandFailure(
    'wrong',
    scenario === 'trace'
      ? `${option} is for ${drawn}: a trace says itself what comes and when; --time-scale changes its pace`
      : `${option} is for the scenario trace, not for ${scenario}`,
  )
}

async function arrivalsOf(scenario: Scenario, options: LoadArguments): Promise<Arrival[]> {
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

/** One that is not served would be refused as often as there are requests. */
async function modelToAsk(
  wanted: string | undefined,
  gateway: { url: string | undefined },
  signal: AbortSignal,
): Promise<string> {
  const names = await servedNames(gateway, signal).catch((error: unknown) => {
    // A server that cannot list its models may answer all the same; nobody at all will not.
    const isAnswer = error instanceof CommandFailure && !(error instanceof NoAnswerFailure)
    if (wanted !== undefined && isAnswer && !signal.aborted) return [] as readonly string[]
    throw error
  })
  if (wanted !== undefined && (names.length === 0 || names.includes(wanted))) return wanted
  if (wanted !== undefined) {
    const meant = closest(wanted, names)
    const hint = meant === null ? '' : `; did you mean ${meant}?`
    throw new CommandFailure(
      'no',
      `--model "${wanted}" is not served there: there is ${names.slice(0, 10).join(', ')}${hint}`,
    )
  }
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new CommandFailure(
    'wrong',
    names.length === 0
      ? 'no model is served there: "motley status" says why'
      : `say which model with --model: ${names.slice(0, 10).join(', ')}`,
  )
}

/** @throws {CommandFailure} where nobody tells. */
async function servedNames(
  gateway: { url: string | undefined },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const list = (await askGateway('/v1/models', gateway, 'any key', { signal })) as {
    readonly data?: readonly { readonly id: string }[]
  } | null
  return (list?.data ?? []).map(({ id }) => id)
}

function beginText(
  scenario: Scenario,
  arrivals: readonly Arrival[],
  model: string,
  base: string,
): string {
  const seconds = Math.ceil((arrivals.at(-1)?.atMs ?? 0) / 1_000)
  return `${scenario}: ${arrivals.length} requests for ${model} at ${base} within ${seconds} s`
}

/** A line drawn over itself on a terminal; elsewhere one every ten seconds. */
function progressTo(stream: NodeJS.WriteStream): {
  show: (progress: LoadProgress) => void
  end: () => void
} {
  let drawn = false
  let toldMs = 0
  return {
    show({ elapsedMs, sent, underWay, answered, failed }) {
      const text = `${Math.round(elapsedMs / 1_000)} s: ${sent} sent, ${underWay} under way, ${answered} answered, ${failed} failed`
      if (stream.isTTY) {
        stream.write(`\r\u001b[K${text}`)
        drawn = true
      } else if (elapsedMs - toldMs >= 10_000) {
        toldMs = elapsedMs
        stream.write(`${text}\n`)
      }
    },
    end() {
      if (drawn) stream.write('\r\u001b[K')
    },
  }
}
