import { blockTokensOf } from '#batching/policies/behaviour.ts'
import { type Task, tasks } from '#core/task.ts'
import type { EmulatorClock } from '#emulator/clock.ts'
import { type EmulatedEngine, emulatedEngines } from '#emulator/emulated-engine.ts'
import { type EngineModel, emulatedDevices, engineModelOf } from '#emulator/engine-model.ts'
import { type Fault, parseFault } from '#emulator/fault.ts'

/** What to emulate. Everything but the engine has a sensible value of its own. */
export interface EmulatorOptions {
  readonly engine: EmulatedEngine
  /** A name for people and logs; the engine and the port say enough otherwise. */
  readonly name?: string
  /** Names it serves; default `llama-3.1-8b`. */
  readonly models?: readonly string[]
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port, told in `url`. */
  readonly port?: number
  /** A key of `emulatedDevices`; its step times, slots and KV room count where none are given. */
  readonly device?: string
  /** In place of the device's step times, whatever is in a step. Infinity for no time at all. */
  readonly prefillTokensPerSecond?: number
  /** The same, for each sequence that decodes. */
  readonly decodeTokensPerSecond?: number
  /** Requests that run at a time; the others wait, first come first served. */
  readonly slots?: number
  /** Tokens that its KV cache holds. */
  readonly kvTokens?: number
  /** The most tokens in one step. */
  readonly batchTokens?: number
  /**
   * How many times faster all time runs. At 0 generation takes no time at all, while waits of
   * faults and loading keep the pace of the wall.
   */
  readonly speed?: number
  /** How long it is loading after its start; for Ollama, how long a model loads when first asked. */
  readonly loadMs?: number
  readonly faults?: readonly (Fault | string)[]
  /** Decides every word of every answer, and every chance of a fault. */
  readonly seed?: number
  readonly apiKey?: string
  /** Longest prompt plus answer; default 32768, or what the KV cache holds if that is less. */
  readonly contextTokens?: number
  /** How long an idle connection is kept; default as the engine does. */
  readonly keepAliveTimeoutMs?: number
  /** Tasks to serve under their usual paths although the engine has no route for them. */
  readonly tasks?: readonly Task[]
  readonly clock?: EmulatorClock
  /** What POST /emulator/exit does beyond closing; a process exits. */
  readonly onExit?: () => void
}

/** The options with every default filled in. */
export interface EmulatorSettings extends EngineModel {
  readonly engine: EmulatedEngine
  readonly name: string
  readonly models: readonly string[]
  readonly host: string
  readonly port: number
  readonly device: string
  readonly speed: number
  readonly loadMs: number
  readonly faults: readonly Fault[]
  readonly seed: number
  readonly apiKey: string | null
  readonly contextTokens: number
  readonly keepAliveTimeoutMs: number | null
  readonly tasks: readonly Task[]
}

/**
 * An option is not what the emulator takes. The message says where, what was found and what is
 * allowed: `slots: found 0, allowed: a whole number of at least 1`.
 */
export class EmulatorOptionsError extends Error {
  /** The option at fault; null where the message names the place in another way. */
  readonly option: keyof EmulatorOptions | null
  /** A word that was found, and those that may stand in its place: for "did you mean". */
  readonly word: { readonly found: string; readonly allowed: readonly string[] } | null

  constructor(
    message: string,
    details: {
      readonly option?: keyof EmulatorOptions
      readonly word?: EmulatorOptionsError['word']
      readonly cause?: unknown
    } = {},
  ) {
    super(message, { cause: details.cause })
    this.option = details.option ?? null
    this.word = details.word ?? null
  }
}

/** Unless the value is one of the words that may stand there. */
function checkWord(option: keyof EmulatorOptions, found: string, allowed: readonly string[]): void {
  if (allowed.includes(found)) return
  throw new EmulatorOptionsError(
    `${option}: found ${JSON.stringify(found)}, allowed: one of ${allowed.join(', ')}`,
    { option, word: { found, allowed } },
  )
}

/** What the device is called where nobody has named one. */
export const unnamedDeviceName = 'unnamed'

/** More than any engine batches. */
const slotsMax = 100_000

/** A thousand times the largest cache there is. */
const kvTokensMax = 1_000_000_000

/** What a timer of Node holds: a longer wait would fire at once. */
const timerMsMax = 2 ** 31 - 1

/** @throws {EmulatorOptionsError} */
export function resolveOptions(options: EmulatorOptions): EmulatorSettings {
  checkWord('engine', options.engine, emulatedEngines)
  if (options.device !== undefined)
    checkWord('device', options.device, Object.keys(emulatedDevices))
  const models = options.models ?? ['llama-3.1-8b']
  if (models.length === 0) {
    throw new EmulatorOptionsError('models: found an empty list, allowed: at least one name', {
      option: 'models',
    })
  }
  for (const task of options.tasks ?? []) checkWord('tasks', task, tasks)
  const speed = atLeast(options, 'speed', 0) ?? 1
  const model = engineModelOf({
    engine: options.engine,
    device: options.device,
    slots: whole(options, 'slots', 1, slotsMax),
    kvTokens: whole(options, 'kvTokens', 1, kvTokensMax),
    batchTokens: whole(options, 'batchTokens', 1, kvTokensMax),
    prefillTokensPerSecond: above(options, 'prefillTokensPerSecond', 0),
    decodeTokensPerSecond: above(options, 'decodeTokensPerSecond', 0),
    isInstant: speed === 0,
  })
  refuseLessThanABlock(options.engine, model)
  return {
    engine: options.engine,
    name: options.name ?? options.engine,
    models,
    host: options.host ?? '127.0.0.1',
    port: whole(options, 'port', 0, 65_535) ?? 0,
    device: options.device ?? unnamedDeviceName,
    ...model,
    speed,
    loadMs: whole(options, 'loadMs', 0, timerMsMax) ?? 0,
    faults: (options.faults ?? []).map(toFault),
    seed: options.seed ?? 0,
    apiKey: options.apiKey ?? null,
    contextTokens: atLeast(options, 'contextTokens', 1) ?? Math.min(32_768, model.kvTokens),
    keepAliveTimeoutMs: atLeast(options, 'keepAliveTimeoutMs', 0) ?? null,
    tasks: options.tasks ?? [],
  }
}

/** Such an engine would take in no request at all, and a real one does not start. */
function refuseLessThanABlock(engine: EmulatedEngine, { kvTokens, behaviour }: EngineModel): void {
  const blockTokens = blockTokensOf(behaviour)
  if (kvTokens >= blockTokens) return
  throw new EmulatorOptionsError(
    `kvTokens: found ${kvTokens}, allowed: at least ${blockTokens}, which are a block of ${engine}`,
    { option: 'kvTokens' },
  )
}

export function toFault(fault: Fault | string): Fault {
  return typeof fault === 'string' ? parseFault(fault) : fault
}

type NumberKey = {
  [Key in keyof EmulatorOptions]-?: EmulatorOptions[Key] extends number | undefined ? Key : never
}[keyof EmulatorOptions]

function atLeast(options: EmulatorOptions, key: NumberKey, least: number): number | undefined {
  const fits = (value: number) => value >= least && Number.isFinite(value)
  return numberWhere(options, key, fits, `a number of at least ${least}`)
}

function whole(
  options: EmulatorOptions,
  key: NumberKey,
  least: number,
  most: number,
): number | undefined {
  const fits = (value: number) => Number.isInteger(value) && value >= least && value <= most
  return numberWhere(options, key, fits, `a whole number from ${least} to ${most}`)
}

function above(options: EmulatorOptions, key: NumberKey, limit: number): number | undefined {
  return numberWhere(options, key, (value) => value > limit, `a number above ${limit}, or Infinity`)
}

function numberWhere(
  options: EmulatorOptions,
  key: NumberKey,
  fits: (value: number) => boolean,
  allowed: string,
): number | undefined {
  const value = options[key]
  if (value === undefined || fits(value)) return value
  throw new EmulatorOptionsError(`${key}: found ${value}, allowed: ${allowed}`, { option: key })
}
