export interface Column {
  readonly title: string
  /** Numbers line up at their right end. */
  readonly align?: 'left' | 'right'
  /** Cut to this width, with an ellipsis; left out: as wide as its longest cell. */
  readonly maxWidth?: number
}

/** Lines of a table, the titles first. Cells hold no colours: those would be counted as width. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const cells = rows.map((row) =>
    columns.map(({ maxWidth }, index) => shorten(row[index] ?? '', maxWidth)),
  )
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? ''
        const width = widths[index] ?? 0
        return align === 'right' ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...cells.map(line)]
}

export function shorten(text: string, maxWidth = Number.POSITIVE_INFINITY): string {
  return text.length > maxWidth ? `${text.slice(0, maxWidth - 1)}…` : text
}
