/** How many answers one request asks for. */

/** What `n` stands for: one where it is left out, or is no count that an engine would take. */
export function choiceCount(n: unknown): number {
  return Number.isSafeInteger(n) && (n as number) > 0 ? (n as number) : 1
}

/** `prompt` of a completion: a text, a list of token ids, or a list of either, each answered. */
export function promptCount(prompt: unknown): number {
  if (!Array.isArray(prompt) || typeof prompt[0] === 'number') return 1
  return Math.max(1, prompt.length)
}
