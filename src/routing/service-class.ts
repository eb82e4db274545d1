import type { ServiceClass } from '#core/service-class.ts'
import type { LatencyTargets } from '#routing/dispatcher.ts'

/**
 * What a request of each class is measured by when neither it nor its deployment says. A person
 * waits two seconds for a first word and reads ten words a second; a program waits longer.
 */
export const defaultTargets: Readonly<Record<ServiceClass, LatencyTargets>> = {
  interactive: { ttftMs: 2_000, tpotMs: 100 },
  standard: { ttftMs: 10_000, tpotMs: 150 },
  batch: { ttftMs: null, tpotMs: null },
}

/** A person who hands over a book waits longer for the first word, and is read to more slowly. */
export const longPromptTargets: LatencyTargets = { ttftMs: 10_000, tpotMs: 150 }

/** Which class goes first; within a class, priority and then the deadline decide. */
export const serviceRank: Readonly<Record<ServiceClass, number>> = {
  interactive: 0,
  standard: 1,
  batch: 2,
}
