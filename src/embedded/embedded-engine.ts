/** The engine as the routes see it: a loaded model, its slots and what they have done. */
import type { LlamaContextSequence } from 'node-llama-cpp'
import { Embedder } from '#embedded/embedder.ts'
import { type EngineGauges, EngineMetrics } from '#embedded/engine-metrics.ts'
import { type LoadedModel, type LoadOptions, loadModel } from '#embedded/loaded-model.ts'
import { PrefillPace } from '#embedded/prefill-pace.ts'
import { SlotPool } from '#embedded/slot-pool.ts'
import { StepGate } from '#embedded/step-gate.ts'

export interface EmbeddedEngine {
  /** What clients call the model. */
  readonly modelName: string
  readonly loaded: LoadedModel
  /** Context of each slot. */
  readonly contextTokens: number
  readonly slots: SlotPool<LlamaContextSequence>
  readonly stepGate: StepGate
  readonly prefillPace: PrefillPace
  readonly embedder: Embedder
  readonly metrics: EngineMetrics
  /** When the model was ready, in seconds as in the OpenAI API. */
  readonly createdSeconds: number
}

export async function createEngine(
  modelName: string,
  options: Omit<LoadOptions, 'busySlots'>,
): Promise<EmbeddedEngine> {
  let busySlots = (): number => 1
  const loaded = await loadModel({ ...options, busySlots: () => busySlots() })
  const { context, contextTokens } = loaded
  const sequences = Array.from({ length: options.slots }, () => context.getSequence())
  const slots = new SlotPool(sequences, (sequence) => sequence.contextTokens)
  busySlots = () => slots.busyCount
  return {
    modelName,
    loaded,
    contextTokens,
    slots,
    stepGate: new StepGate(),
    prefillPace: new PrefillPace(context.batchSize),
    embedder: new Embedder(loaded),
    metrics: new EngineMetrics(),
    createdSeconds: Math.floor(Date.now() / 1000),
  }
}

export function readGauges({ slots, contextTokens }: EmbeddedEngine): EngineGauges {
  // What an idle slot still holds is a cache that the next request may write over.
  const filled = slots.slots
    .filter((slot) => slots.isBusy(slot))
    .reduce((sum, { sequence }) => sum + sequence.nextTokenIndex, 0)
  const kvTokens = contextTokens * slots.slots.length
  return {
    requestsProcessing: slots.busyCount,
    requestsDeferred: slots.waitingCount,
    slotsTotal: slots.slots.length,
    contextTokens,
    kvTokens,
    kvCacheUsageRatio: filled / kvTokens,
  }
}
