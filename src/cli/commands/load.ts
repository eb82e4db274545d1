import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { gatewayUrl, withGatewayOptions } from '#cli/gateway-client.ts'
import {
  type ArrivalOptions,
  arrivalsOf,
  type Scenario,
  scenarioNames,
  scenarioOf,
} from '#cli/load-arrivals.ts'
import { loadProgressTo } from '#cli/load-progress.ts'
import { loadText } from '#cli/load-text.ts'
import { durationOf, numberOf, sloOf } from '#cli/load-values.ts'
import { modelToAsk } from '#cli/model-to-ask.ts'
import { onStopSignals, stoppedExitCode } from '#cli/stop-signals.ts'
import { logLine, printJson } from '#cli/terminal.ts'
import type { Arrival } from '#loadtest/arrival.ts'
import type { ChatTarget } from '#loadtest/chat-request.ts'
import { loadReport } from '#loadtest/load-report.ts'
import {
  judge,
  readThreshold,
  type Threshold,
  thresholdProblem,
  type Verdict,
} from '#loadtest/threshold.ts'

interface LoadArguments extends ArrivalOptions {
  readonly url?: string
  readonly model?: string
  readonly slo?: string
  readonly threshold?: readonly string[]
  readonly timeout?: string
  readonly maxInFlight?: string
  readonly honourEnd?: boolean
  readonly json?: boolean
}

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
  const progress = loadProgressTo(process.stderr)
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

/** Who takes longer is no better known afterwards: the load itself tells of it. */
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

function beginText(
  scenario: Scenario,
  arrivals: readonly Arrival[],
  model: string,
  base: string,
): string {
  const seconds = Math.ceil((arrivals.at(-1)?.atMs ?? 0) / 1_000)
  return `${scenario}: ${arrivals.length} requests for ${model} at ${base} within ${seconds} s`
}
