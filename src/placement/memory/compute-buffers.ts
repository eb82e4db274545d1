/** The memory in which a step is computed, beside weights and KV cache. */
import type { ModelFacts } from '#core/model-facts.ts'

/** Buffers hold 32-bit numbers where llama.cpp computes, 16-bit ones where PyTorch does. */
const wideBytes = 4
const narrowBytes = 2

/**
 * Hidden vectors that are alive at a time around attention: input, norm, query and output beside a
 * matrix of scores; with flash attention keys and values of the step as well. With four, logs of 8B
 * at 8192 tokens (512 MiB of scores, 16 of mask, 4 × 8: 560 MiB) and of 7B at 512 (70.5 MiB, all of
 * it output) come out to the last digit.
 */
const hiddenBesideScores = 4
const hiddenInFlash = 6

/**
 * Steps on several devices overlap, and each device then holds this many copies of what all of them
 * read: four, and the one that is being filled. From logs of two and four GPUs, which differ from
 * one GPU by exactly five attention masks.
 */
const pipelineCopies = 5

export interface WholeContextStep {
  readonly facts: ModelFacts
  readonly batchTokens: number
  /** Of one request, padded. */
  readonly contextTokens: number
  readonly flashAttention: boolean
  readonly deviceCount: number
  /** Whether this device computes the output: then it holds a number for every word of the vocabulary. */
  readonly hasOutput: boolean
}

/**
 * Of one device under the whole-context discipline. Attention scores and output are not alive at
 * the same time and share their room, so the larger of the two counts.
 */
export function deviceStepBytes(step: WholeContextStep): number {
  const { facts, batchTokens, hasOutput, deviceCount, flashAttention } = step
  const hidden = (facts.embeddingLength ?? 0) * batchTokens * wideBytes
  const output = hasOutput ? (facts.vocabularySize ?? 0) * batchTokens * wideBytes + hidden : 0
  const scores = flashAttention
    ? 0
    : (facts.headCount ?? 0) * step.contextTokens * batchTokens * wideBytes
  const inner = (flashAttention ? hiddenInFlash : hiddenBesideScores) * hidden + maskBytes(step)
  const feedForward = 2 * (facts.feedForwardLength ?? 0) * batchTokens * wideBytes + 2 * hidden
  const attention = scores + inner
  const copies = deviceCount > 1 ? pipelineCopies * maskBytes(step) : 0
  return Math.max(output, attention, feedForward) + copies
}

/** Inputs of every step, which lie on the host: token vectors and masks. */
export function hostStepBytes(step: Omit<WholeContextStep, 'hasOutput'>): number {
  const hidden = (step.facts.embeddingLength ?? 0) * step.batchTokens * wideBytes
  const copies = step.deviceCount > 1 ? pipelineCopies - 1 : 1
  return hidden + copies * maskBytes(step)
}

/** Which token may look at which: with flash attention in half as many bytes. */
function maskBytes({
  batchTokens,
  contextTokens,
  flashAttention,
}: Omit<WholeContextStep, 'hasOutput'>): number {
  return batchTokens * contextTokens * (flashAttention ? narrowBytes : wideBytes)
}

/**
 * The most that a step of `batchTokens` holds where layers are computed one after the other in
 * 16-bit numbers: hidden vectors, the two halves of the feed-forward part, and for each request that
 * gets a token one number for every word, once as it comes and once as a probability.
 */
export function stepBytes(
  facts: ModelFacts,
  batchTokens: number,
  requests: number,
  tensorParallel: number,
): number {
  const hidden = 4 * (facts.embeddingLength ?? 0)
  const feedForward = (2 * (facts.feedForwardLength ?? 0)) / tensorParallel
  const vocabulary = (facts.vocabularySize ?? 0) * requests * 2 * wideBytes
  return batchTokens * (hidden + feedForward) * narrowBytes + vocabulary
}
