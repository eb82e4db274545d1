import { type Task, tasks } from '#core/task.ts'
import type { EmulatorClock } from '#emulator/clock.ts'
import { deviceSpeeds } from '#emulator/device-speeds.ts'
import { type Fault, parseFault } from '#emulator/fault.ts'

export const emulatedEngines = ['vllm', 'sglang', 'llama-server', 'ollama', 'openai'] as const
export type EmulatedEngine = (typeof emulatedEngines)[number]

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
  /** A key of `deviceSpeeds`; its rates, slots and KV room count where none are given here. */
  readonly device?: string
  /** Infinity for no time at all. */
  readonly prefillTokensPerSecond?: number
  /** Infinity for no time at all. */
  readonly decodeTokensPerSecond?: number
  /** Requests that run at a time; the others wait, first come first served. */
  readonly slots?: number
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
  /** Longest prompt plus answer; default 32768. */
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
export interface EmulatorSettings {
  readonly engine: EmulatedEngine
  readonly name: string
  readonly models: readonly string[]
  readonly host: string
  readonly port: number
  readonly device: string
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  readonly slots: number
  readonly kvTokens: number
  readonly speed: number
  readonly loadMs: number
  readonly faults: readonly Fault[]
  readonly seed: number
  readonly apiKey: string | null
  readonly contextTokens: number
  readonly keepAliveTimeoutMs: number | null
  readonly tasks: readonly Task[]
}

/** An option is not what the emulator takes. The message is one sentence for the user. */
export class EmulatorOptionsError extends Error {}

/** Rates of a machine that nobody named: a good desktop card with an 8B model. */
const unnamedDevice = {
  prefillTokensPerSecond: 5000,
  decodeTokensPerSecond: 100,
  kvTokens: 131_072,
}

/** Slots where neither the options nor the device says: what each engine does by itself. */
const slotsByEngine: Readonly<Record<EmulatedEngine, number>> = {
  vllm: 256,
  sglang: 256,
  'llama-server': 4,
  ollama: 1,
  openai: 1000,
}

export function resolveOptions(options: EmulatorOptions): EmulatorSettings {
  if (!emulatedEngines.includes(options.engine)) {
    throw new EmulatorOptionsError(
      `engine: found ${JSON.stringify(options.engine)}, allowed are ${emulatedEngines.join(', ')}.`,
    )
  }
  const device = options.device === undefined ? null : deviceSpeeds[options.device]
  if (device === undefined) {
    const known = Object.keys(deviceSpeeds).join(', ')
    throw new EmulatorOptionsError(
      `device: found ${JSON.stringify(options.device)}, known are ${known}.`,
    )
  }
  const models = options.models ?? ['llama-3.1-8b']
  if (models.length === 0) {
    throw new EmulatorOptionsError('models: found an empty list, at least one name is needed.')
  }
  for (const task of options.tasks ?? []) {
    if (!tasks.includes(task)) {
      throw new EmulatorOptionsError(
        `tasks: found ${JSON.stringify(task)}, allowed are ${tasks.join(', ')}.`,
      )
    }
  }
  const speed = atLeast(options, 'speed', 0) ?? 1
  const rate = (key: 'prefillTokensPerSecond' | 'decodeTokensPerSecond'): number =>
    speed === 0
      ? Number.POSITIVE_INFINITY
      : (above(options, key, 0) ?? device?.[key] ?? unnamedDevice[key])
  // Ollama decodes one request at a time unless it is told otherwise, whatever the machine can do.
  const deviceSlots = options.engine === 'ollama' ? undefined : device?.slots
  return {
    engine: options.engine,
    name: options.name ?? options.engine,
    models,
    host: options.host ?? '127.0.0.1',
    port: atLeast(options, 'port', 0) ?? 0,
    device: options.device ?? 'unnamed',
    prefillTokensPerSecond: rate('prefillTokensPerSecond'),
    decodeTokensPerSecond: rate('decodeTokensPerSecond'),
    slots: atLeast(options, 'slots', 1) ?? deviceSlots ?? slotsByEngine[options.engine],
    kvTokens: device?.kvTokens ?? unnamedDevice.kvTokens,
    speed,
    loadMs: atLeast(options, 'loadMs', 0) ?? 0,
    faults: (options.faults ?? []).map(toFault),
    seed: options.seed ?? 0,
    apiKey: options.apiKey ?? null,
    contextTokens: atLeast(options, 'contextTokens', 1) ?? 32_768,
    keepAliveTimeoutMs: atLeast(options, 'keepAliveTimeoutMs', 0) ?? null,
    tasks: options.tasks ?? [],
  }
}

export function toFault(fault: Fault | string): Fault {
  return typeof fault === 'string' ? parseFault(fault) : fault
}

type NumberKey = {
  [Key in keyof EmulatorOptions]-?: EmulatorOptions[Key] extends number | undefined ? Key : never
}[keyof EmulatorOptions]

function atLeast(options: EmulatorOptions, key: NumberKey, least: number): number | undefined {
  const value = options[key]
  if (value === undefined || value >= least) return value
  throw new EmulatorOptionsError(`${key}: found ${value}, allowed is ${least} or more.`)
}

function above(options: EmulatorOptions, key: NumberKey, limit: number): number | undefined {
  const value = options[key]
  if (value === undefined || value > limit) return value
  throw new EmulatorOptionsError(
    `${key}: found ${value}, allowed is a number above ${limit} or Infinity.`,
  )
}
