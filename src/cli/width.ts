/** What a terminal is when nobody has made it wider. */
export const terminalWidth = 80

/** How wide a table may be: whole where no person looks, as in a file or behind a pipe. */
export function widthOf(stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>): number {
  return stream.isTTY ? Math.max(terminalWidth, stream.columns || 0) : Number.POSITIVE_INFINITY
}
