/** When to try again: after what, how often, how long later. Time and chance are arguments. */
import type { Clock } from '#std/clock.ts'
import { sleep } from '#std/sleep.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** Something that may go away by itself: a cut connection, a server that is overwhelmed. */
export class TransientError extends Error {
  /** How long the other side asks to be left alone; null when it does not say. */
  readonly retryAfterMs: number | null

  constructor(
    message: string,
    { retryAfterMs = null, cause }: { retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.retryAfterMs = retryAfterMs
  }
}

export interface Patience {
  readonly clock: Clock
  /** Numbers in [0, 1). */
  readonly chance: () => number
  readonly signal: AbortSignal
  /** Told before each wait: what happened, and how long it will be. */
  readonly onWait: (reason: string, waitMs: number) => void
}

/** Hubs count in windows of five minutes; a wait of three of them is no longer a short one. */
const askedWaitMsMax = 15 * 60_000

/**
 * 0.5 s, doubling to 30 s, and somewhere in the upper half of that: downloads that were cut by one
 * event do not come back in one moment.
 */
export function backOffMs(failures: number, chance: () => number): number {
  const wholeMs = Math.min(30_000, 500 * 2 ** Math.max(0, failures - 1))
  return Math.round(wholeMs * (0.5 + chance() / 2))
}

/**
 * Waits after the `failures`th failure in a row.
 * @throws {WeightsError} where `failuresMax` is reached, or the other side wants too long a wait.
 */
export async function waitAfter(
  error: TransientError,
  failures: number,
  failuresMax: number,
  { clock, chance, signal, onWait }: Patience,
): Promise<void> {
  if (failures >= failuresMax) {
    throw new WeightsError('unreachable', `${error.message}, ${failures} times in a row`, {
      cause: error,
    })
  }
  const waitMs = Math.max(backOffMs(failures, chance), error.retryAfterMs ?? 0)
  if (waitMs > askedWaitMsMax) {
    throw new WeightsError(
      'unreachable',
      `${error.message} and asks to wait ${Math.ceil(waitMs / 60_000)} minutes; try again then`,
      { cause: error },
    )
  }
  onWait(error.message, waitMs)
  await sleep(clock, waitMs, signal)
}

/** Runs until it does not throw a {@link TransientError}, or has done so too often. */
export async function retrying<Result>(
  run: () => Promise<Result>,
  failuresMax: number,
  patience: Patience,
): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      await waitAfter(error, failures, failuresMax, patience)
    }
  }
}
