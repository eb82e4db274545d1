import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { didYouMean } from '#cli/config-error.ts'
import { packageFile } from '#cli/package-files.ts'
import { comparisonText } from '#cli/simulate-text.ts'
import { printJson } from '#cli/terminal.ts'
import type { FleetEndpoint } from '#simulator/fleet-file.ts'
import type { Policy } from '#simulator/policies.ts'
import type { Trace } from '#simulator/traces/trace.ts'

interface CompareArguments {
  readonly fleet: string
  readonly trace: string
  readonly policies: string
  readonly load: string
  readonly slo: string
  readonly seed: string
  readonly how: 'superpose' | 'compress'
  readonly duration: string
  readonly context: string
  readonly json?: boolean
}

/** The first part of a run fills the fleet and is not counted, as far as there is a minute of it. */
const warmUpMs = 60_000

export function addSimulateCommand(program: Command): void {
  const simulate = program
    .command('simulate')
    .description('Try routing on virtual time: recorded requests on a fleet on paper.')
    .helpCommand(false)
  simulate
    .command('compare')
    .description('Compare strategies on the same fleet and the same requests.')
    .requiredOption('--fleet <file>', 'a fleet file, or lab, edge, vend, dc, homog, multi')
    .requiredOption('--trace <file>', 'requests: CSV or JSON lines, or either with gzip')
    .option('--policies <names>', 'with commas between', 'fastest,least-connections,round-robin')
    .option('--load <parts>', 'of what the fleet can serve at best', '0.5,0.8')
    .option('--slo <targets>', 'what an answer should keep', 'ttft=2s,tpot=100ms')
    .option('--seed <number>', 'decides where in the trace it begins, and every chance', '1')
    .addOption(
      new Option('--how <way>', 'how load is made: copies over each other, or less time between')
        .choices(['superpose', 'compress'])
        .default('superpose'),
    )
    .option('--duration <time>', 'of requests; the first minute is not counted', '300s')
    .option('--context <tokens>', 'leaves longer prompts out', '8192')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Every strategy is given the weights that suit it best. least-connections-queue
has limits as well, and one queue; :0.7 behind its name sets them to that part
of what each endpoint can sustain. Nobody sees how long answers will be.`,
    )
    .action(compareCommand)
}

async function compareCommand(given: CompareArguments): Promise<void> {
  const [{ compare }, { policyNames, policyOf }] = await Promise.all([
    import('#simulator/compare.ts'),
    import('#simulator/policies.ts'),
  ])
  const policies = listOf(given.policies).map((name): Policy => {
    const policy = policyOf(name)
    if (policy !== null) return policy
    throw new CommandFailure(
      'wrong',
      `--policies: found ${name}, allowed: ${policyNames.join(', ')}${didYouMean(name, policyNames)}`,
    )
  })
  const loads = listOf(given.load).map((text) => numberOf('--load', text, 0.01, 10))
  const durationMs = timeOf('--duration', given.duration)
  const targets = targetsOf(given.slo)
  const fleet = await fleetOf(given.fleet)
  const trace = await traceOf(given.trace, numberOf('--context', given.context, 1, 1e7))
  const comparison = await compare(
    {
      fleet,
      trace,
      policies,
      loads,
      targets,
      seed: numberOf('--seed', given.seed, 0, 2 ** 31),
      how: given.how,
      durationMs,
      warmUpMs: Math.min(warmUpMs, durationMs / 4),
      hostNowMs: () => performance.now(),
    },
    showProgress,
  )
  if (given.json === true) {
    printJson({ fleet: fleet.map(({ name }) => name), trace: trace.name, targets, ...comparison })
  } else {
    console.log(comparisonText({ ...comparison, endpoints: fleet.map(({ name }) => name) }))
  }
}

function showProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return
  process.stderr.write(done === all ? '\r\u001b[K' : `\r${done} of ${all} runs`)
}

async function fleetOf(name: string): Promise<readonly FleetEndpoint[]> {
  const { FleetFileError, parseFleetFile } = await import('#simulator/fleet-file.ts')
  const known = packageFile(`fleets/${name}.yaml`)
  const path = !existsSync(name) && /^[a-z]+$/.test(name) && existsSync(known) ? known : name
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new CommandFailure('wrong', `--fleet: cannot read ${name}: ${reasonOf(cause)}`, { cause })
  }
  try {
    return parseFleetFile(text, name)
  } catch (cause) {
    if (!(cause instanceof FleetFileError)) throw cause
    throw new CommandFailure('wrong', cause.message, { cause })
  }
}

async function traceOf(path: string, contextTokens: number): Promise<Trace> {
  const [{ loadTrace }, { withinContext }, { TraceError }] = await Promise.all([
    import('#simulator/traces/load-trace.ts'),
    import('#simulator/traces/trace.ts'),
    import('#simulator/traces/parse-trace.ts'),
  ])
  try {
    const trace = withinContext(await loadTrace(path), contextTokens)
    if (trace.requests.length > 0) return trace
  } catch (cause) {
    if (!(cause instanceof TraceError)) throw cause
    throw new CommandFailure('wrong', cause.message, { cause })
  }
  throw new CommandFailure('wrong', `${path}: no prompt has at most ${contextTokens} tokens`)
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'there is no such file' : message
}

function targetsOf(text: string): { ttftMs: number; tpotMs: number } {
  const targets = { ttftMs: Number.NaN, tpotMs: Number.NaN }
  for (const part of listOf(text)) {
    const [name, time = ''] = part.split('=', 2)
    if (name === 'ttft') targets.ttftMs = timeOf('--slo ttft', time)
    else if (name === 'tpot') targets.tpotMs = timeOf('--slo tpot', time)
    else throw new CommandFailure('wrong', `--slo: found ${part}, allowed: ttft=2s,tpot=100ms`)
  }
  if (Number.isNaN(targets.ttftMs) || Number.isNaN(targets.tpotMs)) {
    throw new CommandFailure('wrong', `--slo: found ${text}, allowed: both, as ttft=2s,tpot=100ms`)
  }
  return targets
}

function timeOf(option: string, text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|min)$/.exec(text)
  const factor = { ms: 1, s: 1_000, min: 60_000 }[found?.[2] ?? ''] ?? Number.NaN
  const ms = Number(found?.[1]) * factor
  if (ms > 0) return ms
  throw new CommandFailure('wrong', `${option}: found "${text}", allowed: as 100ms, 2s or 5min`)
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (text.trim() !== '' && number >= least && number <= most) return number
  throw new CommandFailure('wrong', `${option}: found "${text}", allowed: ${least} to ${most}`)
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
