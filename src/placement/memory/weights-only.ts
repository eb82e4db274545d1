/** Memory of engines for speech, embeddings and ranking: weights, and room to compute in. */
import type { EngineMemory } from '#core/engine-memory.ts'
import type { MemoryNeed } from '#placement/fit.ts'
import { stepBytes } from '#placement/memory/compute-buffers.ts'
import { countText } from '#placement/memory/count-text.ts'
import type { MemoryQuestion } from '#placement/memory/memory-question.ts'
import { deviceNeed, processTerm } from '#placement/memory/whole-context.ts'

type WeightsOnly = Extract<EngineMemory, { kind: 'weights-only' }>

export function weightsOnlyNeed(question: MemoryQuestion, engine: WeightsOnly): MemoryNeed {
  const { facts, devices, backend } = question
  const { weightsFactor, batchTokens } = engine
  const quantization = facts.quantization === null ? '' : ` in ${facts.quantization}`
  const times = weightsFactor === 1 ? '' : ` × ${weightsFactor} for copies and states`
  return {
    devices: devices.map((device) =>
      deviceNeed(device, [
        {
          name: 'weights',
          bytes: facts.tensorBytes * weightsFactor,
          why: `all tensors${quantization}${times}`,
        },
        {
          name: 'compute',
          bytes: stepBytes({ ...facts, vocabularySize: 0 }, batchTokens, 0, 1),
          why: `a step of ${countText(batchTokens)} tokens`,
        },
        processTerm(engine.processBytes[backend] ?? 0, backend),
      ]),
    ),
    hostBytes: 0,
    hostTerms: [],
    layersOnDevices: null,
    kvCacheTokens: null,
    confidence: 'estimated',
  }
}
