/** The word a person most likely meant, for "did you mean"; null when none is near. */
export function closest(word: string, candidates: Iterable<string>): string | null {
  return longerOrShorter(word.toLowerCase(), candidates) ?? fewestSlips(word, candidates)
}

/** What a message about an unknown word ends with; empty where none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const meant = closest(word, candidates)
  return meant === null ? '' : `; did you mean "${meant}"?`
}

function fewestSlips(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null
  // A third of the letters may be wrong: "gatewya" is a slip, "nodes" for "models" is another word.
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Shorter pieces begin too much. */
const pieceLengthMin = 4

/** `alias` for `aliases`: the one of which it is the beginning, or which is the beginning of it. */
function longerOrShorter(word: string, candidates: Iterable<string>): string | null {
  const alike = [...candidates].filter((candidate) => {
    const other = candidate.toLowerCase()
    const isLong = Math.min(word.length, other.length) >= pieceLengthMin
    return isLong && (other.startsWith(word) || word.startsWith(other))
  })
  const [only] = alike
  return only !== undefined && alike.length === 1 ? only : null
}

/** The candidates that are most like a word, the nearest first. */
export function nearest(word: string, candidates: Iterable<string>, count: number): string[] {
  const lower = word.toLowerCase()
  return [...candidates]
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

/** Letters to add, drop, replace or swap with their neighbour to get from one word to the other. */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= from.length; row++) {
    const line = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      let distance = Math.min(
        (rows[row - 1]?.[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (rows[row - 1]?.[column - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      if (swapped) distance = Math.min(distance, (rows[row - 2]?.[column - 2] ?? 0) + 1)
      line.push(distance)
    }
    rows.push(line)
  }
  return rows[from.length]?.[to.length] ?? 0
}
