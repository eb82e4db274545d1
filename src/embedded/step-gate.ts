/**
 * Lets a task have the context for itself between two steps of the slots that write.
 *
 * node-llama-cpp keeps a context locked as long as further tokens are asked for before a batch is
 * done. With several slots writing that is always, and a task that needs the lock, such as erasing
 * a slot's cache, would wait until all answers are written. Here the slots pause for it.
 */
export class StepGate {
  #waiting = 0
  #opened: PromiseWithResolvers<void> | undefined

  /** Runs a task while no slot begins a step. Tasks may run side by side. */
  async exclusive<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting++
    this.#opened ??= Promise.withResolvers()
    try {
      return await task()
    } finally {
      this.#waiting--
      if (this.#waiting === 0) {
        this.#opened?.resolve()
        this.#opened = undefined
      }
    }
  }

  /** Resolves when a step may begin; undefined means at once. */
  pass(): Promise<void> | undefined {
    return this.#opened?.promise
  }
}
