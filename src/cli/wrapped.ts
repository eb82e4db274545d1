import { stripVTControlCharacters } from 'node:util'

/**
 * Lines of at most `width` characters, broken between words; those after the first are indented.
 * Colours have no width.
 */
export function wrapped(text: string, width: number, indent: string): string[] {
  const [first = '', ...words] = text.split(breakable)
  const lines = [first]
  for (const word of words) {
    const last = lines.length - 1
    const longer = `${lines[last]} ${word}`
    if (stripVTControlCharacters(longer).length <= width) lines[last] = longer
    else lines.push(`${indent}${word}`)
  }
  return lines
}

/** A number and its unit are one word, and so are the two halves of `15 min 2 s`. */
const unit = '(?:ms|s|min|h|d|%|[kKMGT]i?B|B)(?![\\w/])'
const breakable = new RegExp(`(?<=\\S) (?<!\\d (?=${unit}))(?<!\\d (?:min|h|d) (?=\\d+ ${unit}))`)
