/**
 * `motley emulate` without its process: one emulator from the command line, or a fleet of them from
 * a file, and a line for each that says where it listens.
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import { FaultSyntaxError, parseFault } from '#emulator/fault.ts'
import { parseFleetFile } from '#emulator/fleet-file.ts'
import { type EmulatorOptions, EmulatorOptionsError, unnamedDeviceName } from '#emulator/options.ts'

/** What the command line says, as texts; a command parser of any kind can fill this in. */
export interface EmulateArguments {
  readonly engine?: string | undefined
  readonly device?: string | undefined
  readonly model?: readonly string[] | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
  readonly speed?: string | undefined
  readonly fault?: readonly string[] | undefined
  readonly prefillRate?: string | undefined
  readonly decodeRate?: string | undefined
  readonly slots?: string | undefined
  readonly kvTokens?: string | undefined
  readonly batchTokens?: string | undefined
  readonly loadMs?: string | undefined
  readonly seed?: string | undefined
  readonly apiKey?: string | undefined
  readonly task?: readonly string[] | undefined
  readonly fleet?: string | undefined
  readonly json?: boolean | undefined
}

/** Where the process meets the world. */
export interface EmulateEnvironment {
  /** Writes one line, without its end. */
  print(line: string): void
  /** Called when POST /emulator/exit has closed the last emulator. */
  exit(): void
}

export interface RunningEmulators {
  readonly emulators: readonly Emulator[]
  close(): Promise<void>
}

/** Reads the argument list of the process. Throws {@link EmulatorOptionsError}. */
export function readArguments(argv: readonly string[]): EmulateArguments {
  const text = { type: 'string' } as const
  const texts = { type: 'string', multiple: true } as const
  try {
    const { values } = parseArgs({
      args: [...argv],
      strict: true,
      options: {
        engine: text,
        device: text,
        model: texts,
        port: text,
        host: text,
        speed: text,
        fault: texts,
        'prefill-rate': text,
        'decode-rate': text,
        slots: text,
        'kv-tokens': text,
        'batch-tokens': text,
        'load-ms': text,
        seed: text,
        'api-key': text,
        task: texts,
        fleet: text,
        json: { type: 'boolean' },
      },
    })
    return {
      ...values,
      prefillRate: values['prefill-rate'],
      decodeRate: values['decode-rate'],
      kvTokens: values['kv-tokens'],
      batchTokens: values['batch-tokens'],
      loadMs: values['load-ms'],
      apiKey: values['api-key'],
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new EmulatorOptionsError(`Cannot read the command line: ${reason}`, { cause: error })
  }
}

/** How the command line spells an option, where it can be wrong there. */
const flags: Readonly<Partial<Record<keyof EmulatorOptions, string>>> = {
  engine: '--engine',
  device: '--device',
  port: '--port',
  speed: '--speed',
  prefillTokensPerSecond: '--prefill-rate',
  decodeTokensPerSecond: '--decode-rate',
  slots: '--slots',
  kvTokens: '--kv-tokens',
  batchTokens: '--batch-tokens',
  loadMs: '--load-ms',
  seed: '--seed',
  tasks: '--task',
}

/** The same error with the flag in place of the option, as the user has typed it. */
function withFlag(error: unknown): unknown {
  if (!(error instanceof EmulatorOptionsError) || error.option === null) return error
  const { option, word } = error
  const flag = flags[option]
  if (flag === undefined) return error
  const message = `${flag}${error.message.slice(option.length)}`
  return new EmulatorOptionsError(message, { option, word, cause: error })
}

/** One emulator from the command line; throws {@link EmulatorOptionsError}. */
export function emulateOptions(given: EmulateArguments): EmulatorOptions {
  const engine = (given.engine ?? 'vllm') as EmulatorOptions['engine']
  const tasks = given.task as EmulatorOptions['tasks']
  return {
    engine,
    ...(given.device === undefined ? {} : { device: given.device }),
    ...(given.model === undefined ? {} : { models: given.model }),
    ...(given.host === undefined ? {} : { host: given.host }),
    ...(given.apiKey === undefined ? {} : { apiKey: given.apiKey }),
    ...(given.fault === undefined ? {} : { faults: given.fault.map(readFault) }),
    ...(tasks === undefined ? {} : { tasks }),
    ...numberOption('port', '--port', given.port),
    ...numberOption('speed', '--speed', given.speed),
    ...numberOption('prefillTokensPerSecond', '--prefill-rate', given.prefillRate),
    ...numberOption('decodeTokensPerSecond', '--decode-rate', given.decodeRate),
    ...numberOption('slots', '--slots', given.slots),
    ...numberOption('kvTokens', '--kv-tokens', given.kvTokens),
    ...numberOption('batchTokens', '--batch-tokens', given.batchTokens),
    ...numberOption('loadMs', '--load-ms', given.loadMs),
    ...numberOption('seed', '--seed', given.seed),
  }
}

/**
 * Starts what the arguments ask for and prints a line for each. Rejects with
 * {@link EmulatorOptionsError} when they are wrong, and leaves nothing running then.
 */
export async function runEmulate(
  given: EmulateArguments,
  environment: EmulateEnvironment,
): Promise<RunningEmulators> {
  const plans = given.fleet === undefined ? [emulateOptions(given)] : await readFleet(given)
  const emulators: Emulator[] = []
  let open = plans.length
  const onExit = (): void => {
    open -= 1
    if (open === 0) environment.exit()
  }
  const close = async (): Promise<void> => {
    await Promise.all(emulators.map((emulator) => emulator.close()))
  }
  try {
    for (const plan of plans) emulators.push(await startEmulator({ ...plan, onExit }))
  } catch (error) {
    await close()
    throw given.fleet === undefined ? withFlag(error) : error
  }
  for (const emulator of emulators) {
    environment.print(given.json === true ? jsonLine(emulator) : sentence(emulator))
  }
  return { emulators, close }
}

/** What the command line says of speed and faults counts for every emulator of the fleet. */
async function readFleet(given: EmulateArguments): Promise<readonly EmulatorOptions[]> {
  const file = given.fleet ?? ''
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new EmulatorOptionsError(
      `--fleet: cannot read ${file}, allowed: the path of a YAML file`,
      {
        cause: error,
      },
    )
  }
  const common = numberOption('speed', '--speed', given.speed)
  const faults = (given.fault ?? []).map(readFault)
  return parseFleetFile(text, file).map((plan) => ({
    ...plan,
    ...common,
    faults: [...(plan.faults ?? []), ...faults],
  }))
}

function jsonLine({ url, engine, settings }: Emulator): string {
  const { name, device, models } = settings
  return JSON.stringify({ url, engine, name, device, models, pid: process.pid, emulator: true })
}

function sentence({ url, engine, settings }: Emulator): string {
  const { name, device, models } = settings
  const where = settings.device === unnamedDeviceName ? '' : ` on ${device}`
  return `${name}: emulating ${engine}${where} with ${models.join(', ')} at ${url}`
}

function readFault(text: string): ReturnType<typeof parseFault> {
  try {
    return parseFault(text)
  } catch (error) {
    if (!(error instanceof FaultSyntaxError)) throw error
    throw new EmulatorOptionsError(`--fault: ${error.message}`, { cause: error })
  }
}

function numberOption<Key extends keyof EmulatorOptions>(
  key: Key,
  flag: string,
  text: string | undefined,
): { readonly [Name in Key]?: number } {
  if (text === undefined) return {}
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isNaN(value)) {
    throw new EmulatorOptionsError(`${flag}: found ${JSON.stringify(text)}, allowed: a number`)
  }
  return { [key]: value } as { readonly [Name in Key]?: number }
}
