import type { StepTimeParameters } from '#batching/step-time.ts'

/**
 * Step times that were fitted to published profiles of vLLM with Llama 3.1 8B in bf16 (3 % mean
 * error of the fit) and are checked against runs of the real engine that the profiles know nothing
 * of. Only these carry absolute claims.
 *
 * The head is the output layer: its 128,256 × 4,096 weights of two bytes at the bandwidth that the
 * fit of attention shows (873 and 1,398 GB/s).
 */
export const exactStepTimes = {
  'rtx-4090': {
    overheadMs: 0,
    headMs: 1.2,
    linear: { kind: 'soft-max', weightsMs: 16.21, baseMs: 5.185, msPerToken: 0.08794 },
    decodeMs: 0.41,
    decodeMsPerContextToken: 0.0001501,
    prefillMs: 0.9,
    prefillMsPerTokenPair: 0.000004112,
  },
  // The overhead was calibrated on the very run that it is checked against: it is the host's, and
  // the 4090's host has none. What starting attention costs is taken from the 4090's fit.
  'rtx-pro-6000': {
    overheadMs: 3,
    headMs: 0.75,
    linear: { kind: 'soft-max', weightsMs: 10.26, baseMs: 5.593, msPerToken: 0.03487 },
    decodeMs: 0.41,
    decodeMsPerContextToken: 0.0000938,
    prefillMs: 0.9,
    prefillMsPerTokenPair: 0.00000212,
  },
} as const satisfies Record<string, StepTimeParameters>
