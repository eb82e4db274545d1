/**
 * How fast single machines are with Llama 3.1 8B or a model of its size, one request at a time.
 *
 * The first group is the batch-of-one point and the full-batch prefill point of the engine timing
 * model: decode is one over (overhead + head + step of one token), prefill is the largest step over
 * its time. The second group is measured directly with 512 prompt tokens (llama-bench and the like).
 * Only the rows marked validated carry an absolute claim; the others keep fleets realistically
 * uneven.
 */
export interface DeviceSpeed {
  readonly title: string
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  /** Sequences it decodes at a time, as such a machine is usually set up. */
  readonly slots: number
  /** Room of its KV cache. */
  readonly kvTokens: number
}

export const deviceSpeeds: Readonly<Record<string, DeviceSpeed>> = {
  // Llama-3.1-8B bf16 on vLLM; scaled: dense fitted to the Vidur H100 Llama-2-7B step profile (x1.19 weights); attention from bandwidth.
  'h100-sxm': {
    title: 'NVIDIA H100 SXM',
    decodeTokensPerSecond: 106.4,
    prefillTokensPerSecond: 43271,
    slots: 256,
    kvTokens: 400_000,
  },
  // Llama-3.1-8B bf16 on vLLM; fitted: dense fitted to the Vidur A100 Llama-3-8B step profile; attention scaled from the 4090 fit by bandwidth.
  'a100-sxm-80': {
    title: 'NVIDIA A100 SXM 80 GB',
    decodeTokensPerSecond: 78.7,
    prefillTokensPerSecond: 14014,
    slots: 256,
    kvTokens: 390_000,
  },
  // Llama-3.1-8B bf16 on vLLM; validated: fitted to profile, checked against a real run (engine-validation).
  'rtx-pro-6000': {
    title: 'NVIDIA RTX PRO 6000 Blackwell',
    decodeTokensPerSecond: 70.9,
    prefillTokensPerSecond: 25343,
    slots: 256,
    kvTokens: 500_000,
  },
  // Llama-3.1-8B bf16 on vLLM; estimate: scaled from H100 by bandwidth and a prefill efficiency of 0.45.
  mi300x: {
    title: 'AMD Instinct MI300X',
    decodeTokensPerSecond: 102.0,
    prefillTokensPerSecond: 26778,
    slots: 256,
    kvTokens: 1100_000,
  },
  // Llama-3.1-8B bf16 on vLLM; validated: fitted to profile, checked against a real run (engine-validation).
  'rtx-4090': {
    title: 'NVIDIA GeForce RTX 4090',
    decodeTokensPerSecond: 58.8,
    prefillTokensPerSecond: 11005,
    slots: 256,
    kvTokens: 41_408,
  },
  // Llama-3.1-8B bf16 on vLLM; estimate: scaled by bandwidth and FLOPS; decode anchor 16.7 tok/s.
  l4: {
    title: 'NVIDIA L4',
    decodeTokensPerSecond: 15.9,
    prefillTokensPerSecond: 2708,
    slots: 256,
    kvTokens: 26_000,
  },
  // Llama-3.1-8B Q4_K_M on llama-server; part measured: points 1, 16, 32, 512 measured, others interpolated.
  'rtx-3090': {
    title: 'NVIDIA GeForce RTX 3090',
    decodeTokensPerSecond: 95.2,
    prefillTokensPerSecond: 3975,
    slots: 16,
    kvTokens: 65_000,
  },
  // Llama-3.1-8B Q4_K_M on llama-server; estimate: scaled.
  'rtx-2070': {
    title: 'NVIDIA GeForce RTX 2070',
    decodeTokensPerSecond: 59.5,
    prefillTokensPerSecond: 1543,
    slots: 8,
    kvTokens: 16_000,
  },
  // Llama-3.1-8B Q4_K_M on llama-server; part measured: points 1, 8, 512 measured, others interpolated.
  'rx-7900-xtx': {
    title: 'AMD Radeon RX 7900 XTX',
    decodeTokensPerSecond: 88.5,
    prefillTokensPerSecond: 3164,
    slots: 16,
    kvTokens: 100_000,
  },
  // Llama-3.1-8B Q4_K_M on llama-server; part measured: points 1 and 512 measured, others assumed.
  'arc-b580': {
    title: 'Intel Arc B580',
    decodeTokensPerSecond: 56.5,
    prefillTokensPerSecond: 2181,
    slots: 8,
    kvTokens: 32_000,
  },
  // Llama-3.1-8B Q4_0 on llama-server Vulkan; scaled: full measured sweep of Llama-2-7B (AMDVLK) x1.19.
  'strix-halo': {
    title: 'AMD Ryzen AI Max (Strix Halo)',
    decodeTokensPerSecond: 36.5,
    prefillTokensPerSecond: 1083,
    slots: 16,
    kvTokens: 200_000,
  },
  // Llama-3-8B Q4_K_M on llama-server Metal; part measured: points 1 and 512 measured, others assumed.
  'm2-ultra-76': {
    title: 'Apple M2 Ultra, 76 GPU cores',
    decodeTokensPerSecond: 69.0,
    prefillTokensPerSecond: 996,
    slots: 16,
    kvTokens: 200_000,
  },
  // Llama-3-8B Q4_K_M on llama-server Metal; part measured: points 1 and 512 measured, others assumed.
  'm3-max-40': {
    title: 'Apple M3 Max, 40 GPU cores',
    decodeTokensPerSecond: 45.0,
    prefillTokensPerSecond: 690,
    slots: 8,
    kvTokens: 100_000,
  },
  // Llama-3.1-8B Q4_K_M on llama-server CPU; part measured: decode measured, prefill assumed.
  'epyc-9334': {
    title: 'AMD EPYC 9334, CPU only',
    decodeTokensPerSecond: 26.5,
    prefillTokensPerSecond: 183,
    slots: 8,
    kvTokens: 400_000,
  },
  // Llama-3.1-8B Q4_0 on llama-server CPU; part measured: points 1 and 512 measured, others assumed.
  'ryzen-7950x': {
    title: 'AMD Ryzen 9 7950X, CPU only',
    decodeTokensPerSecond: 11.0,
    prefillTokensPerSecond: 154,
    slots: 4,
    kvTokens: 100_000,
  },
  // Llama-3-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  'rtx-3070': {
    title: 'GeForce RTX 3070',
    decodeTokensPerSecond: 72.8,
    prefillTokensPerSecond: 2402,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3.1-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  'rtx-3080': {
    title: 'GeForce RTX 3080 10GB',
    decodeTokensPerSecond: 112.0,
    prefillTokensPerSecond: 3807,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  'rtx-4080': {
    title: 'GeForce RTX 4080',
    decodeTokensPerSecond: 108.2,
    prefillTokensPerSecond: 5390,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  'rtx-a6000': {
    title: 'RTX A6000',
    decodeTokensPerSecond: 105.4,
    prefillTokensPerSecond: 3781,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  l40s: {
    title: 'L40S',
    decodeTokensPerSecond: 115.6,
    prefillTokensPerSecond: 6035,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K on llama.cpp Vulkan; measured (trust A); slots and KV room assumed.
  'a100-pcie-80': {
    title: 'A100 PCIe 80GB',
    decodeTokensPerSecond: 116,
    prefillTokensPerSecond: 2972,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K_M on llama.cpp CUDA; measured (trust A); slots and KV room assumed.
  'h100-pcie': {
    title: 'H100 PCIe 80GB',
    decodeTokensPerSecond: 145.6,
    prefillTokensPerSecond: 8125,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3-8B Q4_K_M on llama.cpp Metal; measured (trust A); slots and KV room assumed.
  m1: {
    title: 'M1 (7/8-core GPU)',
    decodeTokensPerSecond: 10.2,
    prefillTokensPerSecond: 94,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3.1-8B Q4_K_M on llama.cpp Metal; measured (trust A); slots and KV room assumed.
  'm1-max-32': {
    title: 'M1 Max 32-core',
    decodeTokensPerSecond: 46.2,
    prefillTokensPerSecond: 499.6,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3.1-8B Q4_K_M on llama.cpp Metal; measured (trust A); slots and KV room assumed.
  'm4-10': {
    title: 'M4 10-core',
    decodeTokensPerSecond: 20.9,
    prefillTokensPerSecond: 224.8,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3.1-8B Q4_K_M on llama.cpp Vulkan; measured (trust A); slots and KV room assumed.
  'radeon-780m': {
    title: 'Radeon 780M',
    decodeTokensPerSecond: 16.3,
    prefillTokensPerSecond: 253.6,
    slots: 4,
    kvTokens: 32_768,
  },
  // Llama-3.1-8B Q4_K_M on llama.cpp CPU; measured (trust B); slots and KV room assumed.
  'ryzen-7840hs': {
    title: 'Ryzen 7 7840HS',
    decodeTokensPerSecond: 12.3,
    prefillTokensPerSecond: 81.3,
    slots: 4,
    kvTokens: 32_768,
  },
}
