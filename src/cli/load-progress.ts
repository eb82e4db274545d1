import type { LoadProgress } from '#loadtest/run-load.ts'

/** A line drawn over itself on a terminal; elsewhere one every ten seconds. */
export function loadProgressTo(stream: NodeJS.WriteStream): {
  show: (progress: LoadProgress) => void
  end: () => void
} {
  let drawn = false
  let toldMs = 0
  return {
    show({ elapsedMs, sent, underWay, answered, failed }) {
      const text = `${Math.round(elapsedMs / 1_000)} s: ${sent} sent, ${underWay} under way, ${answered} answered, ${failed} failed`
      if (stream.isTTY) {
        stream.write(`\r\u001b[K${text}`)
        drawn = true
      } else if (elapsedMs - toldMs >= 10_000) {
        toldMs = elapsedMs
        stream.write(`${text}\n`)
      }
    },
    end() {
      if (drawn) stream.write('\r\u001b[K')
    },
  }
}
