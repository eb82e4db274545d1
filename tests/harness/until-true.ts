/** Waiting for something that no promise tells of, with an end and a word about what was awaited. */

/** Well below the time that vitest gives a test, so that the message is ours. */
const withinMsDefault = 30_000

/** Short beside what is measured with it: an abort must pass within 100 ms. */
const everyMsDefault = 2

/**
 * Resolves once `condition` holds, with how many milliseconds that took. Rejects after `withinMs`
 * with `what` was awaited and, where given, with what `seen` says then.
 */
export async function untilTrue(
  what: string,
  condition: () => boolean | Promise<boolean>,
  options: {
    readonly withinMs?: number
    readonly everyMs?: number
    readonly seen?: () => unknown
  } = {},
): Promise<number> {
  const withinMs = options.withinMs ?? withinMsDefault
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > withinMs) {
      const seen =
        options.seen === undefined ? '' : `; seen last: ${JSON.stringify(options.seen())}`
      throw new Error(`Within ${withinMs} ms it did not come to this: ${what}${seen}`)
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? everyMsDefault))
  }
  return performance.now() - startedMs
}
