/** A moment as the wall clock of whoever reads it shows it: `10:31:07`, with the day where it is another. */
export function clockText(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const time = at.toTimeString().slice(0, '10:31:07'.length)
  if (at.toDateString() === new Date(nowMs).toDateString()) return time
  const two = (part: number): string => String(part).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}
