/** Reads JSON that somebody else wrote. Returns undefined, which no JSON means, when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
