/**
 * Memory of engines that are given a fraction of a device: what weights, activations and the process
 * leave of it is a pool of KV blocks. Such an engine takes its fraction whatever the load, so the
 * question is not how much it takes but how many tokens the pool holds.
 *
 *   │◀────────────── fraction × device ──────────────▶│
 *   │ weights │ activations │ process │    KV pool    │  rest
 */
import type { EngineMemory } from '#core/engine-memory.ts'
import { memoryText } from '#core/memory-text.ts'
import type { MemoryNeed, MemoryTerm } from '#placement/fit.ts'
import { stepBytes } from '#placement/memory/compute-buffers.ts'
import { countText } from '#placement/memory/count-text.ts'
import { type KvShape, kvRequestBytes, kvShape, kvStateBytes } from '#placement/memory/kv-cache.ts'
import type { MemoryDevice, MemoryQuestion } from '#placement/memory/memory-question.ts'
import { sum } from '#placement/memory/sums.ts'
import { deviceNeed, processTerm } from '#placement/memory/whole-context.ts'

type Fraction = Extract<EngineMemory, { kind: 'fraction' }>

export function fractionNeed(question: MemoryQuestion, engine: Fraction): MemoryNeed {
  const { facts, devices, backend, contextTokens, slots, tensorParallel } = question
  const shape = kvShape(facts, question.kvCacheType)
  const smallest = Math.min(...devices.map(({ totalBytes }) => totalBytes))
  const batchTokens = batchTokensOf(engine, smallest)
  const requests = Math.min(slots, requestsMax)
  const splits = kvSplits(question)
  const room = { contextTokens, paddingTokens: engine.blockTokens, batchTokens: 0 }
  const requestBytes = shape === null ? 0 : kvRequestBytes(shape, room) / splits

  const needs = devices.map((device) => {
    const weights = facts.tensorBytes / tensorParallel
    const compute = stepBytes(facts, batchTokens, requests, tensorParallel) + engine.graphBytes
    const process = engine.processBytes[backend] ?? 0
    const states = shape === null ? 0 : stateBytes(shape, slots) / tensorParallel
    const budget = budgetOf(engine, device, question.memoryFraction, weights)
    const beside = engine.covers === 'all' ? compute + process : 0
    const pool = Math.max(
      0,
      engine.covers === 'kv-of-rest' ? budget : budget - weights - states - beside,
    )
    const split = tensorParallel === 1 ? '' : `, a part in ${tensorParallel}`
    const terms: MemoryTerm[] = [
      {
        name: 'weights',
        bytes: weights,
        why: `all tensors${facts.quantization === null ? '' : ` in ${facts.quantization}`}${split}`,
      },
      {
        name: 'compute',
        bytes: compute,
        why: `a step of ${countText(batchTokens)} tokens and ${memoryText(engine.graphBytes)} of graphs`,
      },
      processTerm(process, backend),
      { name: 'state', bytes: states, why: 'layers without attention, for each slot' },
      {
        name: 'kv-cache',
        bytes: Math.max(pool, shape === null ? 0 : requestBytes),
        why: poolWhy(engine, pool, requestBytes, question, shape),
      },
    ]
    return { need: deviceNeed(device, terms), pool }
  })

  const smallestPool = Math.min(...needs.map(({ pool }) => pool))
  return {
    devices: needs.map(({ need }) => need),
    hostBytes: hostBytes,
    hostTerms: [
      { name: 'overhead', bytes: hostBytes, why: 'the server and its tokenizer processes' },
    ],
    layersOnDevices: null,
    kvCacheTokens:
      shape === null || requestBytes === 0
        ? null
        : tokensOf(shape, smallestPool * splits, engine.blockTokens),
    confidence: 'estimated',
  }
}

/** More requests than this are not sampled in one step while memory is measured at start. */
const requestsMax = 256

/** A Python server with its engine and tokenizer processes, resident. */
const hostBytes = 4 * 2 ** 30

function batchTokensOf({ batchTokens }: Fraction, memoryBytes: number): number {
  return batchTokens.findLast(({ fromMemoryBytes }) => memoryBytes >= fromMemoryBytes)?.tokens ?? 0
}

/**
 * Ranks share the KV heads until each has one of its own; a latent vector is needed by all of them
 * whole.
 */
function kvSplits({ facts, tensorParallel }: MemoryQuestion): number {
  if (facts.latentAttention !== null) return 1
  return Math.max(1, Math.min(tensorParallel, facts.kvHeadCount ?? tensorParallel))
}

function budgetOf(
  engine: Fraction,
  { totalBytes, usableBytes }: MemoryDevice,
  fraction: number | null,
  weights: number,
): number {
  const part = fraction ?? usualFraction(engine, totalBytes, usableBytes)
  return engine.covers === 'kv-of-rest'
    ? Math.max(0, part * (usableBytes - weights))
    : part * totalBytes
}

/**
 * Just enough for a model that keeps no tokens: more would be taken and never used. A twentieth of
 * the weights is for what allocators lose.
 */
export function fractionWithoutPool(
  engine: Fraction,
  question: Pick<MemoryQuestion, 'facts' | 'backend' | 'slots' | 'tensorParallel'>,
  totalBytes: number,
): number {
  const { facts, backend, slots, tensorParallel } = question
  const batchTokens = batchTokensOf(engine, totalBytes)
  const requests = Math.min(slots, requestsMax)
  const bytes =
    (1.05 * facts.tensorBytes) / tensorParallel +
    stepBytes(facts, batchTokens, requests, tensorParallel) +
    engine.graphBytes +
    (engine.processBytes[backend] ?? 0)
  return Math.min(engine.fractionUsual, Math.ceil((100 * bytes) / Math.max(1, totalBytes)) / 100)
}

/**
 * As the engine usually does, or less where others have taken their part: an engine of this kind ends
 * at start when its fraction is not free.
 */
export function usualFraction(
  { fractionUsual }: Fraction,
  totalBytes: number,
  usableBytes: number,
): number {
  const free = Math.floor((100 * usableBytes) / Math.max(1, totalBytes)) / 100
  return Math.max(0, Math.min(fractionUsual, free))
}

function stateBytes(shape: KvShape, slots: number): number {
  return sum(shape.stateByLayer.map((_, layer) => kvStateBytes(shape, layer, slots)))
}

/** The longest request that a pool holds: layers with a window stop growing. */
function tokensOf(shape: KvShape, poolBytes: number, blockTokens: number): number {
  const bytesAt = (tokens: number) =>
    kvRequestBytes(shape, { contextTokens: tokens, paddingTokens: blockTokens, batchTokens: 0 })
  let low = 0
  let high = 1
  while (high < tokensMax && bytesAt(high * blockTokens) <= poolBytes) high *= 2
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2)
    if (bytesAt(middle * blockTokens) <= poolBytes) low = middle
    else high = middle
  }
  return low * blockTokens
}

/** In blocks: beyond a billion tokens nobody counts. */
const tokensMax = 2 ** 26

function poolWhy(
  engine: Fraction,
  pool: number,
  requestBytes: number,
  question: MemoryQuestion,
  shape: KvShape | null,
): string {
  if (shape === null) return 'its size is not known: the headers do not tell'
  if (pool >= requestBytes) {
    const tokens = tokensOf(shape, pool * kvSplits(question), engine.blockTokens)
    return `what the fraction leaves: ${countText(tokens)} tokens; ${shape.why} each`
  }
  return `one request of ${countText(question.contextTokens)} tokens: ${shape.why} each`
}
