import type { Batch, BlockKeeper } from '#batching/batch.ts'

/**
 * How an engine fills its next step. It is called between two steps, with a batch whose last step
 * is over, and plans: whom to admit, whom to put back, who decodes and how much of which prompt is
 * read. It may plan nothing only when nobody waits or runs.
 */
export interface SchedulingPolicy extends BlockKeeper {
  plan(batch: Batch): void
  /**
   * Whether, with somebody waiting, steps that only decode can be taken together until one of the
   * sequences is done: nothing but that lets the first in the queue in.
   */
  readonly waitsForFinish: boolean
}
