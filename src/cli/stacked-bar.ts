/** An amount as a bar of blocks: what of a whole is taken by which part, and what stays free. */
const marks = ['█', '▓', '▒'] as const
const freeMark = '░'

type Parts<Part> = readonly [Part, Part, Part]

/** What each mark stands for, in the order of the parts. */
export function barLegend(...titles: Parts<string>): string {
  const parts = titles.map((title, at) => `${marks[at]} ${title}`)
  return [...parts, `${freeMark} free`].join('  ')
}

/** `whole`: what all of the bar stands for. What exceeds it ends in an arrow. */
export function stackedBar(parts: Parts<number>, whole: number, width: number): string {
  let sum = 0
  let bar = ''
  for (const [at, part] of parts.entries()) {
    if (part <= 0) continue
    sum += part
    const end = whole <= 0 ? width + 1 : Math.round((sum / whole) * width)
    // Whatever is there at all can be seen, where there is room.
    const least = bar.length < width ? 1 : 0
    bar += (marks[at] ?? '').repeat(Math.max(least, end - bar.length))
    if (bar.length > width) return `${bar.slice(0, width - 1)}▶`
  }
  return bar.padEnd(width, freeMark)
}
