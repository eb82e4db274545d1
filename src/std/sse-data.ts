/**
 * The data of one server-sent event: its `data:` lines joined by line feeds, or null when it has
 * none (a comment, or only `event:` and `id:`). A byte order mark before the first field is
 * skipped, and one blank after the colon belongs to the field, as the HTML standard has it.
 */
export function sseData(frame: Buffer): string | null {
  const text = frame.toString('utf8').replace(/^\uFEFF/, '')
  let data: string | null = null
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (!line.startsWith('data')) continue
    if (line.length > 4 && line[4] !== ':') continue
    const value = line.slice(line[5] === ' ' ? 6 : 5)
    data = data === null ? value : `${data}\n${value}`
  }
  return data
}
