import type { BatchItem, PrioritizedBatchItem } from 'node-llama-cpp'

/**
 * Rounds of the event queue to wait for slots that are about to ask for their next token. Slots of
 * the last batch come back one after another within a few rounds; without the wait, four slots
 * run as batches of three and take a third more decodes. A slot that stays away costs microseconds.
 */
const waitRounds = 8

/**
 * Decides what goes into the next batch: first the slots that write, one token each, then prompts,
 * short ones first, so that nobody's answer pauses behind somebody else's long prompt.
 */
export function createBatchOrder(busySlots: () => number) {
  let waited = 0
  return ({
    items,
    size,
  }: {
    readonly items: readonly BatchItem[]
    readonly size: number
  }): PrioritizedBatchItem[] => {
    if (items.length < busySlots() && waited < waitRounds) {
      waited++
      return [] // an empty batch is not decoded: the caller asks again in the next round
    }
    waited = 0
    let left = size
    const order: PrioritizedBatchItem[] = []
    for (const item of items.toSorted((a, b) => a.tokens.length - b.tokens.length)) {
      const processAmount = Math.min(item.tokens.length, left)
      if (processAmount === 0) break
      left -= processAmount
      order.push({ item, processAmount })
    }
    return order
  }
}
