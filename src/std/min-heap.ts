/**
 * Items by ascending key. Items of equal key leave in the order in which they came, so that a run
 * that is driven by one repeats itself exactly.
 */
export class MinHeap<Item> {
  // Parallel arrays: no object is made for an entry.
  readonly #keys: number[] = []
  readonly #orders: number[] = []
  readonly #items: Item[] = []
  #nextOrder = 0

  get size(): number {
    return this.#keys.length
  }

  /** The least key; Infinity when the heap is empty. */
  get minKey(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY
  }

  /** The item of the least key; undefined when the heap is empty. */
  get min(): Item | undefined {
    return this.#items[0]
  }

  push(key: number, item: Item): void {
    const keys = this.#keys
    const orders = this.#orders
    const items = this.#items
    const order = this.#nextOrder++
    let at = keys.length
    keys.push(key)
    orders.push(order)
    items.push(item)
    // The new item is the latest of its key, so it never rises past an equal one.
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      keys[at] = keys[parent]!
      orders[at] = orders[parent]!
      items[at] = items[parent]!
      at = parent
    }
    keys[at] = key
    orders[at] = order
    items[at] = item
  }

  /** Takes the item of the least key away; undefined when the heap is empty. */
  pop(): Item | undefined {
    const keys = this.#keys
    const orders = this.#orders
    const items = this.#items
    const top = items[0]
    const key = keys.pop()
    const order = orders.pop()
    const item = items.pop()
    const size = keys.length
    if (size === 0 || key === undefined || order === undefined || item === undefined) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      const right = child + 1
      if (right < size && isBefore(keys, orders, right, keys[child]!, orders[child]!)) child = right
      if (!isBefore(keys, orders, child, key, order)) break
      keys[at] = keys[child]!
      orders[at] = orders[child]!
      items[at] = items[child]!
      at = child
    }
    keys[at] = key
    orders[at] = order
    items[at] = item
    return top
  }

  clear(): void {
    this.#keys.length = 0
    this.#orders.length = 0
    this.#items.length = 0
  }
}

function isBefore(
  keys: readonly number[],
  orders: readonly number[],
  at: number,
  key: number,
  order: number,
): boolean {
  return keys[at]! < key || (keys[at]! === key && orders[at]! < order)
}
