/**
 * What an engine writes when it runs, but not as it should: on the CPU in place of the device it was
 * given, or with a part of the model there. Answers still come, so nobody notices; these words are
 * how an operator hears of it. Texts come from the libraries below the engines, so most are shared.
 */

export interface EngineAlarm {
  /** Tested against whole lines of what the engine wrote since its start. */
  readonly pattern: RegExp
  /** It tells of layers on the CPU beside the device, which may be what was wanted. */
  readonly isOffload?: true
  /** What it does, in one sentence. `$1`, `$2` … stand for the groups of the pattern. */
  readonly meaning: string
}

/** The sentences of all that match, each once; of several matches of one alarm, the newest. */
export function readAlarms(alarms: readonly EngineAlarm[], log: string): string[] {
  const sentences = alarms.flatMap(({ pattern, meaning }) => {
    const found = [...log.matchAll(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`))]
    const newest = found.at(-1)
    if (newest === undefined) return []
    return [meaning.replace(/\$(\d)/g, (_whole, group: string) => newest[Number(group)] ?? '')]
  })
  return [...new Set(sentences)]
}

/** llama.cpp, and what is built on it: load_tensors says how many layers it gave to the device. */
export const ggmlAlarms: readonly EngineAlarm[] = [
  {
    pattern: /offloaded 0\/(\d+) layers to GPU/,
    meaning: 'None of its $1 layers is on the GPU: it computes on the CPU.',
  },
  {
    isOffload: true,
    pattern: /offloaded ([1-9]\d*)\/(?!\1\b)(\d+) layers to GPU/,
    meaning:
      'Only $1 of its $2 layers are on the GPU: the CPU computes the others, and is waited for.',
  },
  {
    pattern:
      /no usable GPU found|no GPU found|compiled without (?:support for )?GPU|(?:failed|unable) to initialize (?:CUDA|ROCm|Vulkan)|ggml_vulkan: No devices found/i,
    meaning: 'It sees no GPU, or its build has no code for one: it computes on the CPU.',
  },
]

/** Engines on PyTorch, which warns of a CUDA that does not start and goes on without. */
export const torchAlarms: readonly EngineAlarm[] = [
  {
    pattern: /UserWarning: CUDA initialization: /,
    meaning: 'CUDA does not start for PyTorch, which computes on the CPU then.',
  },
]
