/** How far a simulation is, for whoever waits for it: redrawn on a terminal, a line now and then elsewhere. */
import { durationText } from '#cli/quantity.ts'
import type { CompareWatch } from '#simulator/compare.ts'

/** Fewer are simulated before anybody wonders. */
const worthTelling = 200_000

/**
 * A machine of two slow cores simulates so many with `fastest` on eight endpoints, and others more. It
 * is told beforehand; once it runs, the time that is left is measured.
 */
const requestsPerSecond = 8_000

/** As `motley load` does. */
const lineMs = 10_000

/** Of less, what is left says more of how a run begins than of how long it takes. */
const toldFromRatio = 0.02
const redrawMs = 200

export interface SimulateProgress extends CompareWatch {
  end(): void
}

export interface ProgressStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export function simulateProgress(stream: ProgressStream, nowMs: () => number): SimulateProgress {
  let beganMs = nowMs()
  let toldMs = beganMs
  let drawn = false
  return {
    begin(requestsByRun) {
      beganMs = nowMs()
      toldMs = beganMs
      const requests = requestsByRun.reduce((sum, one) => sum + one, 0)
      if (requests < worthTelling) return
      const runs = requestsByRun.length === 1 ? '1 run' : `${requestsByRun.length} runs`
      const about = durationText((requests / requestsPerSecond) * 1_000)
      stream.write(`${runs} of ${countText(requests)} requests in all: about ${about}\n`)
    },
    progress(doneRatio) {
      const now = nowMs()
      if (now - toldMs < (stream.isTTY ? redrawMs : lineMs)) return
      toldMs = now
      const leftMs = ((now - beganMs) * (1 - doneRatio)) / doneRatio
      const left = doneRatio < toldFromRatio ? '' : `, about ${durationText(leftMs)} left`
      const text = `${Math.floor(doneRatio * 100)} % simulated${left}`
      stream.write(stream.isTTY ? `\r\u001b[K${text}` : `${text}\n`)
      drawn = stream.isTTY === true
    },
    end() {
      if (drawn) stream.write('\r\u001b[K')
    },
  }
}

function countText(count: number): string {
  return count < 1e6 ? `${Math.round(count / 1_000)},000` : `${(count / 1e6).toFixed(1)} million`
}
