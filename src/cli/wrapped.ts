/** Lines of at most `width` characters, broken between words; those after the first are indented. */
export function wrapped(text: string, width: number, indent: string): string[] {
  const [first = '', ...words] = text.split(/(?<=\S) /)
  const lines = [first]
  for (const word of words) {
    const last = lines.length - 1
    const longer = `${lines[last]} ${word}`
    if (longer.length <= width) lines[last] = longer
    else lines.push(`${indent}${word}`)
  }
  return lines
}
