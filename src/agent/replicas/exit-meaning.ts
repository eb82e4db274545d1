/** What the end of an engine means, from its last words and from how it ended. */
import type { EngineEnd } from '#agent/replicas/engine-launcher.ts'

/** Words that an engine, or a library in it, is known to end with. */
export interface KnownError {
  /** Looked for in the last lines first, then in the last 64 KiB that this start wrote. */
  readonly pattern: RegExp
  /** One sentence. `$1`, `$2` … stand for the groups of the pattern. */
  readonly meaning: string
  /** One sentence, with groups as above; null when nothing helps. */
  readonly fix: string | null
  /** Whether the next start would end alike, so that none is tried. */
  readonly permanent?: boolean | undefined
}

export interface ExitMeaning {
  readonly meaning: string | null
  readonly fix: string | null
  readonly permanent: boolean
}

/** What a signal says when the words say nothing. */
const signalMeanings: Readonly<Record<string, Omit<ExitMeaning, 'permanent'>>> = {
  SIGKILL: {
    meaning:
      'Something killed it; most often the system does, when the machine has no memory left.',
    fix: 'Look for "Out of memory" in the kernel log; give it less context, fewer slots or a smaller model.',
  },
  SIGSEGV: {
    meaning:
      'It crashed by itself: a fault of the engine, of a driver, or of a kernel for this chip.',
    fix: 'Try another version or another build of the engine.',
  },
  SIGILL: {
    meaning: 'It uses an instruction that this processor does not have.',
    fix: 'Use a build for this processor, as one without AVX-512.',
  },
  SIGBUS: {
    meaning: 'A file or shared memory that it had mapped was too small.',
    fix: 'Check that the model file is whole and the disk is not full; give a container more shared memory.',
  },
}

/**
 * The first known error that the last lines hold; else the first that is farther above, since what
 * comes last may only say that something went wrong there; else what the signal says.
 */
export function explainExit(
  end: EngineEnd,
  lastWords: readonly string[],
  tail: string,
  knownErrors: readonly KnownError[],
): ExitMeaning {
  const known =
    findKnownError(lastWords.join('\n'), knownErrors) ?? findKnownError(tail, knownErrors)
  if (known !== null) return known
  const bySignal = signalMeanings[end.signal ?? signalOfCode(end.code) ?? '']
  return { meaning: bySignal?.meaning ?? null, fix: bySignal?.fix ?? null, permanent: false }
}

function findKnownError(words: string, knownErrors: readonly KnownError[]): ExitMeaning | null {
  for (const { pattern, meaning, fix, permanent } of knownErrors) {
    // Unlike test(), it does not go on where it stopped the last time when the pattern has a `g`.
    const [found] = words.matchAll(new RegExp(pattern, `${pattern.flags.replace('g', '')}g`))
    if (found === undefined) continue
    return {
      meaning: withGroups(meaning, found),
      fix: fix === null ? null : withGroups(fix, found),
      permanent: permanent ?? false,
    }
  }
  return null
}

function withGroups(sentence: string, found: RegExpExecArray): string {
  return sentence.replace(/\$(\d)/g, (_whole, group: string) => found[Number(group)] ?? '')
}

/** Shells and container runtimes exit with 128 and the number of the signal that ended theirs. */
function signalOfCode(code: number | null): string | null {
  const signals: Readonly<Record<number, string>> = {
    132: 'SIGILL',
    135: 'SIGBUS',
    137: 'SIGKILL',
    139: 'SIGSEGV',
  }
  return signals[code ?? 0] ?? null
}
