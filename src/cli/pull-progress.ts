/**
 * How a pull is shown. On a terminal one line that is drawn over itself; elsewhere, as in a log, a
 * line for each file and one for each tenth of the whole.
 */
import { folded } from '#cli/folded.ts'
import { bytesText, durationText } from '#cli/quantity.ts'
import type { PullEvent } from '#weights/pull.ts'
import { TransferRate } from '#weights/transfer-rate.ts'

export interface ProgressOutput {
  readonly isTerminal: boolean
  readonly columns: number
  write(text: string): void
  nowMs(): number
}

/** Drawing more often would only cost time. */
const drawMs = 100
const barWidth = 20

export class PullProgress {
  readonly #output: ProgressOutput
  readonly #rate = new TransferRate()
  #totalBytes = 0
  #doneBytes = 0
  #activity = ''
  #drawnMs = Number.NEGATIVE_INFINITY
  #isDrawn = false
  #toldTenth = 0
  #lastWait = ''

  constructor(output: ProgressOutput) {
    this.#output = output
    this.#rate.mark(output.nowMs(), 0)
  }

  show(event: PullEvent): void {
    switch (event.kind) {
      case 'planned':
        this.#totalBytes = event.totalBytes
        this.#line(
          `${event.files} ${event.files === 1 ? 'file' : 'files'}, ${bytesText(event.totalBytes)}`,
        )
        break
      case 'file': {
        const size = event.sizeBytes === null ? '' : `, ${bytesText(event.sizeBytes)}`
        const verb = { have: 'is here', hashing: 'check', downloading: 'download' }[event.action]
        this.#activity = event.action === 'have' ? '' : verb
        this.#line(
          event.action === 'have'
            ? `  ${event.path}: is here already`
            : `  ${event.path}: ${verb}, from ${event.from}${size}`,
        )
        break
      }
      case 'progress':
        this.#doneBytes += event.bytes
        this.#rate.mark(this.#output.nowMs(), this.#doneBytes)
        this.#advance()
        break
      case 'waiting': {
        const text = `  ${event.reason}; again in ${durationText(event.waitMs)}`
        // Four connections meet the same trouble at once.
        if (text !== this.#lastWait) this.#line(text)
        this.#lastWait = text
        break
      }
      case 'note':
        this.#line(`  ${event.text}`)
    }
  }

  /** Leaves the terminal as it should be for the next line. */
  end(): void {
    if (this.#isDrawn) this.#output.write('\r\u001b[K')
    this.#isDrawn = false
  }

  #line(text: string): void {
    this.end()
    const { isTerminal: isTTY, columns } = this.#output
    this.#output.write(`${folded(text, { isTTY, columns })}\n`)
  }

  #advance(): void {
    const nowMs = this.#output.nowMs()
    if (!this.#output.isTerminal) {
      const tenth =
        this.#totalBytes === 0 ? 0 : Math.floor((this.#doneBytes * 10) / this.#totalBytes)
      if (tenth > this.#toldTenth) this.#line(`  ${this.#status(nowMs)}`)
      this.#toldTenth = Math.max(tenth, this.#toldTenth)
      return
    }
    if (nowMs - this.#drawnMs < drawMs) return
    this.#drawnMs = nowMs
    this.#isDrawn = true
    const line = `${bar(this.#doneBytes, this.#totalBytes)} ${this.#status(nowMs)}`
    this.#output.write(`\r${line.slice(0, this.#output.columns - 1)}\u001b[K`)
  }

  #status(nowMs: number): string {
    const known = this.#totalBytes > 0
    const parts = known
      ? [
          `${Math.min(100, Math.floor((this.#doneBytes * 100) / this.#totalBytes))}%`.padStart(4),
          `${bytesText(this.#doneBytes)} of ${bytesText(this.#totalBytes)}`,
        ]
      : [bytesText(this.#doneBytes)]
    const rate = this.#rate.bytesPerSecond(nowMs)
    if (rate !== null && rate >= 0) parts.push(`${bytesText(rate)}/s`)
    const leftBytes = known ? this.#totalBytes - this.#doneBytes : null
    const leftMs = this.#rate.remainingMs(nowMs, leftBytes)
    if (leftMs !== null && leftBytes !== 0) parts.push(`${durationText(leftMs)} left`)
    if (this.#activity === 'check') parts.push('checking')
    return parts.join('  ')
  }
}

function bar(doneBytes: number, totalBytes: number): string {
  const share = totalBytes === 0 ? 0 : Math.min(1, Math.max(0, doneBytes / totalBytes))
  const full = Math.round(share * barWidth)
  return `[${'#'.repeat(full)}${'-'.repeat(barWidth - full)}]`
}
