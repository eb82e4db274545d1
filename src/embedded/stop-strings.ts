/**
 * Watches a growing text for stop strings. Text is held back only while it could still become one:
 * with the stop `END`, the text `the EN` gives `the ` at once and keeps `EN`.
 */
export class StopStrings {
  readonly #stops: readonly string[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#stops = stops
  }

  /** The text that is safe to send. `stopped` says that a stop string came; nothing follows it. */
  push(text: string): { readonly text: string; readonly stopped: boolean } {
    if (this.#stops.length === 0) return { text, stopped: false }
    const buffer = this.#held + text
    let cut = -1
    for (const stop of this.#stops) {
      const at = buffer.indexOf(stop)
      if (at !== -1 && (cut === -1 || at < cut)) cut = at
    }
    if (cut !== -1) {
      this.#held = ''
      return { text: buffer.slice(0, cut), stopped: true }
    }
    const keep = this.#longestStart(buffer)
    this.#held = buffer.slice(buffer.length - keep)
    return { text: buffer.slice(0, buffer.length - keep), stopped: false }
  }

  /** What was held back when the text ended without becoming a stop string. */
  flush(): string {
    const held = this.#held
    this.#held = ''
    return held
  }

  /** Length of the longest end of `buffer` that is the beginning of a stop string. */
  #longestStart(buffer: string): number {
    let longest = 0
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, buffer.length); length > longest; length--) {
        if (buffer.endsWith(stop.slice(0, length))) longest = length
      }
    }
    return longest
  }
}
