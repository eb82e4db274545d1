/**
 * Reads a page in the Prometheus text format for a few metrics. Labels are stepped over, not
 * read, because an engine's page runs to thousands of lines and is read every second or so.
 */

/**
 * The values of the metrics in `names`, one for each set of labels, in the order of the page. A
 * metric that the page lacks is not in the map, and a line that makes no sense is skipped, as is
 * a last line without a newline: it may be cut in the middle of its number.
 */
export function readPrometheusValues(
  page: string,
  names: ReadonlySet<string>,
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  let start = 0
  while (start < page.length) {
    const end = page.indexOf('\n', start)
    if (end === -1) break
    const nameEnd = endOfName(page, start)
    const name = page.slice(start, nameEnd)
    if (nameEnd > start && names.has(name)) {
      const value = readValue(page.slice(nameEnd, end))
      if (value !== null) {
        const values = found.get(name)
        if (values === undefined) found.set(name, [value])
        else values.push(value)
      }
    }
    start = end + 1
  }
  return found
}

/** The labels of each line of a metric, as of one whose labels are all it says. */
export function readPrometheusLabels(page: string, name: string): ReadonlyMap<string, string>[] {
  const found: ReadonlyMap<string, string>[] = []
  for (const line of page.split('\n')) {
    if (!line.startsWith(`${name}{`)) continue
    const rest = line.slice(name.length)
    const end = endOfLabels(rest)
    if (end === -1) continue
    const pairs = rest.slice(1, end - 1).matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g)
    found.push(new Map([...pairs].map(([, label = '', value = '']) => [label, value])))
  }
  return found
}

/** Letters, digits, `_` and `:`; a comment's `#` ends it before it began. */
function endOfName(page: string, start: number): number {
  let at = start
  for (; at < page.length; at++) {
    const code = page.charCodeAt(at)
    const letter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a
    const digitOrColon = code >= 0x30 && code <= 0x3a
    if (!letter && !digitOrColon && code !== 0x5f) break
  }
  return at
}

/** The rest of a line after the name: labels perhaps, the value, a timestamp perhaps. */
function readValue(rest: string): number | null {
  const after = rest.startsWith('{') ? endOfLabels(rest) : 0
  if (after === -1) return null
  const text = rest.slice(after).trim().split(/\s+/, 1)[0] ?? ''
  if (/^\+?inf$/i.test(text)) return Number.POSITIVE_INFINITY
  if (/^-inf$/i.test(text)) return Number.NEGATIVE_INFINITY
  if (/^nan$/i.test(text)) return Number.NaN
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : null
}

/** The offset after the closing brace; a brace within quotes is not it. -1 when there is none. */
function endOfLabels(rest: string): number {
  let quoted = false
  for (let at = 1; at < rest.length; at++) {
    const letter = rest[at]
    if (quoted && letter === '\\') at++
    else if (letter === '"') quoted = !quoted
    else if (letter === '}' && !quoted) return at + 1
  }
  return -1
}
