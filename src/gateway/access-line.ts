/** What the log says of one request: as JSON for programs, and as a short line for a terminal. */
import { printable } from '#std/printable.ts'

/** A field that is not known is null. No prompt, answer or key is in it. */
export interface AccessEntry {
  readonly time: string
  readonly requestId: string
  readonly key: string | null
  readonly api: string
  readonly model: string | null
  readonly answeredModel: string | null
  readonly stream: boolean
  readonly status: number
  readonly error: string | null
  readonly endpoint: string | null
  readonly attempts: readonly string[]
  readonly queueMs: number
  readonly ttftMs: number | null
  readonly totalMs: number
  readonly promptTokens: number | null
  /** Of the prompt, those that lay in the engine's cache, where it says so. */
  readonly cachedTokens: number | null
  readonly completionTokens: number | null
  /** Not all tokens are reported: the prompt is estimated, or events of the answer were counted. */
  readonly tokensCounted: boolean
  readonly events: number
  readonly bytesOut: number
}

const width = 80
/** Who answered is told in so many columns at the least, however long the rest is. */
const placeWidthMin = 12
/** As long as a UUID: an id that is cut cannot be asked about. */
const idWidthMax = 36

/** `10:31:07 200 1.2 s llama-3.1-8b on h100, 12+340 tokens (req-6fwfju-1)` */
export function accessText(entry: AccessEntry): string {
  const { model, answeredModel, endpoint, error, attempts } = entry
  const time = new Date(entry.time).toTimeString().slice(0, '10:31:07'.length)
  const what = error ?? (entry.status === clientGone ? 'client left' : null)
  const head = `${time} ${entry.status} ${durationText(entry.totalMs)} `
  const tail = [
    ...(attempts.length > 1 ? [`, ${attempts.length} attempts`] : []),
    ...(what === null ? tokensText(entry) : [`, ${what}${cutText(entry)}`]),
    ` (${shortened(entry.requestId, idWidthMax)})`,
  ].join('')
  const name = answeredModel ?? model ?? entry.api
  const place = endpoint === null ? name : `${name} on ${endpoint}`
  const room = Math.max(placeWidthMin, width - head.length - tail.length)
  return `${head}${shortened(place, room)}${tail}`
}

/** What HTTP logs have for a client that left before its answer. */
export const clientGone = 499

function tokensText(entry: AccessEntry): string[] {
  const { promptTokens, completionTokens, tokensCounted } = entry
  if (promptTokens === null && completionTokens === null) return []
  return [`, ${tokensCounted ? '~' : ''}${promptTokens ?? 0}+${completionTokens ?? 0} tokens`]
}

/** How far an answer came that was cut. */
function cutText({ completionTokens, tokensCounted }: AccessEntry): string {
  if (completionTokens === null) return ''
  return `, ${tokensCounted ? '~' : ''}${completionTokens} tokens`
}

function durationText(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
}

/** Clients write names and ids as they like: nothing of theirs moves the cursor of a terminal. */
function shortened(text: string, widthMax: number): string {
  const plain = [...printable(text)]
  return plain.length > widthMax ? `${plain.slice(0, widthMax - 1).join('')}…` : plain.join('')
}
