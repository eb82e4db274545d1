import type { Sequence } from '#batching/sequence.ts'

/** Sequences that wait: first come, first served, but those that were put back stand in front. */
export class WaitingQueue {
  #items: Sequence[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): Sequence | undefined {
    return this.#items[this.#head]
  }

  push(sequence: Sequence): void {
    this.#items.push(sequence)
  }

  putBack(sequence: Sequence): void {
    if (this.#head === 0) {
      this.#items.unshift(sequence)
      return
    }
    this.#head -= 1
    this.#items[this.#head] = sequence
  }

  shift(): Sequence | undefined {
    const sequence = this.#items[this.#head]
    if (sequence === undefined) return undefined
    this.#head += 1
    // What has left is thrown away in large pieces, which costs nothing for each.
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return sequence
  }

  remove(sequence: Sequence): void {
    const at = this.#items.indexOf(sequence, this.#head)
    if (at !== -1) this.#items.splice(at, 1)
  }
}
