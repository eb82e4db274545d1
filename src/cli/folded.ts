/**
 * Messages for a terminal, folded between words so that none is broken in its middle. What stands in
 * quotes, as a command to type, stays on one line where there is room for it.
 */

import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

export interface Page {
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Each line for itself. Elsewhere than on a terminal a message stays one line, to be searched for. */
export function folded(text: string, { isTTY, columns = terminalWidth }: Page): string {
  if (isTTY !== true) return text
  // A terminal over a serial line, or one that a program plays, may say that it has none.
  const width = Math.min(columns || terminalWidth, terminalWidth)
  return text
    .split('\n')
    .flatMap((line) => foldedLine(line, width))
    .join('\n')
}

function foldedLine(line: string, width: number): readonly string[] {
  const [margin = ''] = /^\s*/.exec(line) ?? []
  const indent = `${margin}  `
  const glued = line.replace(/"[^"]*"/g, (quoted) =>
    indent.length + quoted.length <= width ? quoted.replaceAll(' ', glue) : quoted,
  )
  return wrapped(glued, width, indent).map((each) => each.replaceAll(glue, ' '))
}

/** Stands for a space that no line may end at; nothing that is printed holds it. */
const glue = '\0'
