import type { DeviceModel } from '#batching/device-model.ts'
import { deviceModels } from '#batching/device-models.ts'
import { measuredDevices } from '#batching/measured-devices.ts'
import type { EngineBehaviour } from '#batching/policies/behaviour.ts'
import { singleStreamRates } from '#batching/single-stream-rates.ts'
import type { StepTimeParameters } from '#batching/step-time.ts'
import type { EmulatedEngine } from '#emulator/emulated-engine.ts'

/** How the machine behind an emulator batches and how long its steps take. */
export interface EngineModel {
  readonly stepTime: StepTimeParameters
  readonly behaviour: EngineBehaviour
  readonly slots: number
  readonly kvTokens: number
  /** With one request at a time; what people know a device by. */
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
}

/** Every device that can be named. */
export const emulatedDevices: Readonly<Record<string, DeviceModel>> = {
  ...deviceModels,
  ...measuredDevices,
}

/** Rates of a machine that nobody named: a good desktop card with an 8B model. */
const unnamedRates = { prefillTokensPerSecond: 5000, decodeTokensPerSecond: 100 }
const unnamedKvTokens = 131_072

/** Slots where neither the options nor the device says: what each engine does by itself. */
const slotsByEngine: Readonly<Record<EmulatedEngine, number>> = {
  vllm: 256,
  sglang: 256,
  'llama-server': 4,
  ollama: 1,
  openai: 1000,
}

export interface EngineWishes {
  readonly engine: EmulatedEngine
  readonly device: string | undefined
  readonly slots: number | undefined
  readonly kvTokens: number | undefined
  readonly batchTokens: number | undefined
  readonly prefillTokensPerSecond: number | undefined
  readonly decodeTokensPerSecond: number | undefined
  /** Generation takes no time at all. */
  readonly isInstant: boolean
}

/**
 * The model of an engine on a device. Rates that are given stand for the device's own step times:
 * a step then costs one price for decoding, however many sequences do, and one for each prompt token.
 */
export function engineModelOf(wishes: EngineWishes): EngineModel {
  const { engine, isInstant } = wishes
  const device = wishes.device === undefined ? null : (emulatedDevices[wishes.device] ?? null)
  // Ollama decodes one request at a time unless it is told otherwise, whatever the machine can do.
  const deviceSlots = engine === 'ollama' ? undefined : device?.seats
  const slots = wishes.slots ?? deviceSlots ?? slotsByEngine[engine]
  const own = device === null ? unnamedRates : singleStreamRates(device)
  const rates = isInstant
    ? { prefillTokensPerSecond: Infinity, decodeTokensPerSecond: Infinity }
    : {
        prefillTokensPerSecond: wishes.prefillTokensPerSecond ?? own.prefillTokensPerSecond,
        decodeTokensPerSecond: wishes.decodeTokensPerSecond ?? own.decodeTokensPerSecond,
      }
  const isByDevice =
    !isInstant &&
    wishes.prefillTokensPerSecond === undefined &&
    wishes.decodeTokensPerSecond === undefined
  return {
    stepTime: isByDevice && device !== null ? device.stepTime : stepTimeOfRates(rates),
    behaviour: behaviourOf(engine, wishes.batchTokens ?? device?.batchTokens),
    slots,
    kvTokens: wishes.kvTokens ?? device?.kvTokens ?? unnamedRoom(engine, slots),
    ...rates,
  }
}

/** Of a service that only speaks OpenAI's API nothing is known, so nothing of it runs out. */
function unnamedRoom(engine: EmulatedEngine, slots: number): number {
  return engine === 'openai' ? Math.max(unnamedKvTokens, slots * 32_768) : unnamedKvTokens
}

function stepTimeOfRates(rates: {
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
}): StepTimeParameters {
  return {
    overheadMs: 0,
    headMs: 0,
    linear: {
      kind: 'rates',
      decodeMs: 1000 / rates.decodeTokensPerSecond,
      prefillMsPerToken: 1000 / rates.prefillTokensPerSecond,
    },
    decodeMs: 0,
    decodeMsPerContextToken: 0,
    prefillMs: 0,
    prefillMsPerTokenPair: 0,
  }
}

/**
 * Ollama runs the same server as llama.cpp, and of an OpenAI service the best engine is supposed.
 * Slots share one cache, and the newest gives way when it is full: a llama-server would end all
 * that run, which is what faults are for.
 */
function behaviourOf(engine: EmulatedEngine, batchTokens: number | undefined): EngineBehaviour {
  const budget = batchTokens === undefined ? {} : { batchTokens }
  switch (engine) {
    case 'sglang':
      return { kind: 'sglang', ...budget }
    case 'llama-server':
    case 'ollama':
      return { kind: 'llama-server', ...budget, unifiedKv: true, whenFull: 'recompute' }
    case 'vllm':
    case 'openai':
      return { kind: 'vllm', ...budget }
  }
}
