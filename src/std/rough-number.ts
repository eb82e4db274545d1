/** Numbers in three digits: all that a measurement is worth to a person. */

export function roughNumber(value: number): string {
  return String(Number(value.toPrecision(3)))
}

/** `212 ms`, `4.61 s`. */
export function roughDuration(ms: number): string {
  return ms < 1_000 ? `${roughNumber(ms)} ms` : `${roughNumber(ms / 1_000)} s`
}
