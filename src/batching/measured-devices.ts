import type { DeviceModel } from '#batching/device-model.ts'

/** Tokens that llama-bench reads at once when it measures a prompt. */
const measuredPromptTokens = 512

/**
 * A device of which only two speeds are known: one sequence that decodes, and a prompt of 512
 * tokens that is read. What lies between them is a soft maximum, and attention is in both already.
 */
function measured(
  title: string,
  model: string,
  source: string,
  prefillTokensPerSecond: number,
  decodeTokensPerSecond: number,
): DeviceModel {
  return {
    title,
    model,
    engine: 'llama-server',
    basis: 'part measured',
    source: `${source}: one stream and 512 prompt tokens; slots and room of the cache assumed`,
    stepTime: {
      overheadMs: 0,
      headMs: 0,
      linear: {
        kind: 'soft-max',
        weightsMs: 1000 / decodeTokensPerSecond,
        baseMs: 0,
        msPerToken: 1000 / prefillTokensPerSecond,
      },
      decodeMs: 0,
      decodeMsPerContextToken: 0,
      prefillMs: 0,
      prefillMsPerTokenPair: 0,
    },
    seats: 4,
    batchTokens: measuredPromptTokens,
    kvTokens: 32_768,
  }
}

/** Further devices with an 8B model, by what people measured on them. */
export const measuredDevices = {
  'rtx-3070': measured(
    'GeForce RTX 3070',
    'Llama-3-8B Q4_K_M',
    'llama-bench on llama.cpp CUDA',
    2402,
    72.8,
  ),
  'rtx-3080': measured(
    'GeForce RTX 3080 10GB',
    'Llama-3.1-8B Q4_K_M',
    'llama-bench on llama.cpp CUDA',
    3807,
    112,
  ),
  'rtx-4080': measured(
    'GeForce RTX 4080',
    'Llama-3-8B Q4_K_M',
    'llama-bench on llama.cpp CUDA',
    5390,
    108.2,
  ),
  'rtx-a6000': measured(
    'RTX A6000',
    'Llama-3-8B Q4_K_M',
    'llama-bench on llama.cpp CUDA',
    3781,
    105.4,
  ),
  l40s: measured('L40S', 'Llama-3-8B Q4_K_M', 'llama-bench on llama.cpp CUDA', 6035, 115.6),
  'a100-pcie-80': measured(
    'A100 PCIe 80GB',
    'Llama-3-8B Q4_K',
    'llama-bench on llama.cpp Vulkan',
    2972,
    116,
  ),
  'h100-pcie': measured(
    'H100 PCIe 80GB',
    'Llama-3-8B Q4_K_M',
    'llama-bench on llama.cpp CUDA',
    8125,
    145.6,
  ),
  m1: measured(
    'M1 (7/8-core GPU)',
    'Llama-3-8B Q4_K_M',
    'llama-bench on llama.cpp Metal',
    94,
    10.2,
  ),
  'm1-max-32': measured(
    'M1 Max 32-core',
    'Llama-3.1-8B Q4_K_M',
    'llama-bench on llama.cpp Metal',
    499.6,
    46.2,
  ),
  'm4-10': measured(
    'M4 10-core',
    'Llama-3.1-8B Q4_K_M',
    'llama-bench on llama.cpp Metal',
    224.8,
    20.9,
  ),
  'radeon-780m': measured(
    'Radeon 780M',
    'Llama-3.1-8B Q4_K_M',
    'llama-bench on llama.cpp Vulkan',
    253.6,
    16.3,
  ),
  'ryzen-7840hs': measured(
    'Ryzen 7 7840HS',
    'Llama-3.1-8B Q4_K_M',
    'llama-bench on llama.cpp CPU',
    81.3,
    12.3,
  ),
} as const satisfies Record<string, DeviceModel>
