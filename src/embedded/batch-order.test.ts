import type { BatchItem } from 'node-llama-cpp'
import { expect, test } from 'vitest'
import { createBatchOrder } from '#embedded/batch-order.ts'

function item(tokens: number): BatchItem {
  return { tokens: Array.from({ length: tokens }), logits: [], evaluationPriority: 5 }
}

test('slots that write go before prompts, and short prompts before long ones', () => {
  const [long, one, short] = [item(500), item(1), item(20)]
  const order = createBatchOrder(() => 3)({ items: [long, one, short], size: 100 })
  expect(order).toEqual([
    { item: one, processAmount: 1 },
    { item: short, processAmount: 20 },
    { item: long, processAmount: 79 },
  ])
})

test('a batch waits some rounds for slots that are on their way, and no longer', () => {
  const order = createBatchOrder(() => 4)
  const rounds = Array.from({ length: 9 }, () => order({ items: [item(1)], size: 100 }).length)
  expect(rounds).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1])
})

test('a batch with all slots goes at once', () => {
  expect(createBatchOrder(() => 1)({ items: [item(1)], size: 100 })).toHaveLength(1)
})
