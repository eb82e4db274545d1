/** Which engine is imitated, and where its ways differ: the policy that follows from it. */
import type { KvBlocks } from '#batching/kv-blocks.ts'
import { type LlamaServerOptions, LlamaServerPolicy } from '#batching/policies/llama-server.ts'
import type { SchedulingPolicy } from '#batching/policies/policy.ts'
import { type SglangOptions, SglangPolicy } from '#batching/policies/sglang.ts'
import { type VllmOptions, VllmPolicy } from '#batching/policies/vllm.ts'

export type EngineBehaviour =
  | ({ readonly kind: 'vllm' } & Partial<VllmOptions>)
  | ({ readonly kind: 'sglang' } & Partial<SglangOptions>)
  | ({ readonly kind: 'llama-server' } & Partial<LlamaServerOptions> & {
        /** n_ubatch: the most tokens that go through the model at once. */
        readonly microBatchTokens?: number
        /** Whether slots share one cache; otherwise each has its part of it. */
        readonly unifiedKv?: boolean
      })

/** vLLM's block. The others count single tokens. */
const vllmBlockTokens = 16
const defaultBatchTokens = { vllm: 2048, sglang: 8192, 'llama-server': 2048 } as const

export function blockTokensOf({ kind }: EngineBehaviour): number {
  return kind === 'vllm' ? vllmBlockTokens : 1
}

export function policyOf(
  behaviour: EngineBehaviour,
  kv: KvBlocks,
  seats: number,
): SchedulingPolicy {
  // A step has at least a token for every seat, and one more so that prompts are not shut out.
  const batchTokens = Math.max(
    behaviour.batchTokens ?? defaultBatchTokens[behaviour.kind],
    seats + 1,
  )
  switch (behaviour.kind) {
    case 'vllm':
      return new VllmPolicy(kv, {
        batchTokens,
        wholePromptMustFit: behaviour.wholePromptMustFit ?? true,
      })
    case 'sglang':
      return new SglangPolicy(kv, {
        batchTokens,
        mixesDecodes: behaviour.mixesDecodes ?? false,
        conservativeness: behaviour.conservativeness ?? 1,
      })
    case 'llama-server':
      return new LlamaServerPolicy(kv, seats, {
        batchTokens,
        whenFull: behaviour.whenFull ?? 'fail',
      })
  }
}
