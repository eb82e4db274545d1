/**
 * Shares a fixed number of slots among requests. Who comes first is served first; a request gets
 * the free slot whose cache shares the longest beginning with its prompt, or else the one that was
 * idle for longest.
 */
export interface Slot<Sequence> {
  readonly id: number
  readonly sequence: Sequence
}

/** The tokens that are in a sequence's KV cache now. */
export type CachedTokens<Sequence> = (sequence: Sequence) => readonly number[]

interface Waiting<Sequence> {
  readonly prompt: readonly number[]
  readonly grant: (slot: Slot<Sequence>) => void
}

export class SlotPool<Sequence> {
  readonly slots: readonly Slot<Sequence>[]
  readonly #cachedTokens: CachedTokens<Sequence>
  /** Least recently used first, so that a cache nobody matches is the oldest one. */
  readonly #free: Slot<Sequence>[]
  readonly #waiting: Waiting<Sequence>[] = []

  constructor(sequences: readonly Sequence[], cachedTokens: CachedTokens<Sequence>) {
    this.slots = sequences.map((sequence, id) => ({ id, sequence }))
    this.#cachedTokens = cachedTokens
    this.#free = [...this.slots]
  }

  get busyCount(): number {
    return this.slots.length - this.#free.length
  }

  get waitingCount(): number {
    return this.#waiting.length
  }

  isBusy(slot: Slot<Sequence>): boolean {
    return !this.#free.includes(slot)
  }

  /** Resolves when a slot is free. Rejects with the signal's reason, and then takes no slot. */
  acquire(prompt: readonly number[], signal: AbortSignal): Promise<Slot<Sequence>> {
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#free.length > 0) return Promise.resolve(this.#take(prompt))
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Sequence> = {
        prompt,
        grant: (slot) => {
          signal.removeEventListener('abort', leave)
          resolve(slot)
        },
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(waiting)
    })
  }

  release(slot: Slot<Sequence>): void {
    this.#free.push(slot)
    const next = this.#waiting.shift()
    next?.grant(this.#take(next.prompt))
  }

  #take(prompt: readonly number[]): Slot<Sequence> {
    let best = 0 // the least recently used one, unless a cache is worth more
    let bestShared = 0
    for (const [index, slot] of this.#free.entries()) {
      const cached = this.#cachedTokens(slot.sequence)
      const shared = sharedBeginning(cached, prompt)
      if (shared > bestShared && isWorthTaking(shared, cached.length, prompt.length)) {
        best = index
        bestShared = shared
      }
    }
    const [slot] = this.#free.splice(best, 1)
    if (slot === undefined) throw new Error('A slot is taken only while one is free.')
    return slot
  }
}

/**
 * Every chat begins with the same few tokens of its template. A few shared tokens are no reason to
 * overwrite a long conversation that may come back while another slot is free.
 */
function isWorthTaking(shared: number, cached: number, prompt: number): boolean {
  return shared * 2 >= cached || shared * 2 >= prompt
}

function sharedBeginning(left: readonly number[], right: readonly number[]): number {
  const length = Math.min(left.length, right.length)
  let index = 0
  while (index < length && left[index] === right[index]) index++
  return index
}
