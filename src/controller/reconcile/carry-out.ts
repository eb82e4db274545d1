/**
 * What to do next of a plan, from how far it is. Pure: whoever calls it does that, and calls again
 * when anything has changed. A step that was done by a controller that has died since is seen to be
 * done.
 */
import type { PlanStep } from '#placement/plan.ts'

export interface Progress {
  /** Whether the replica should run, by what the controller remembers. */
  readonly isWanted: (replica: string) => boolean
  readonly isReady: (replica: string) => boolean
  /** Whether its memory may still be taken: its agent tells of it, or cannot be asked. */
  readonly isThere: (replica: PlanStep['replica']) => boolean
}

export interface Outlook {
  /** Steps to begin now, in order. */
  readonly next: readonly PlanStep[]
  /** Steps that were begun and are not done. */
  readonly underWay: readonly PlanStep[]
  readonly isOver: boolean
}

export function outlookOf(steps: readonly PlanStep[], progress: Progress): Outlook {
  const states = steps.map((step) => stateOf(step, progress))
  const done = new Set(steps.filter((_, index) => states[index] === 'done').map(({ step }) => step))
  // A step that this plan does not have is no reason to wait for ever.
  const known = new Set(steps.map(({ step }) => step))
  const next = steps.filter(
    ({ after }, index) =>
      states[index] === 'open' && after.every((name) => done.has(name) || !known.has(name)),
  )
  return {
    next,
    underWay: steps.filter((_, index) => states[index] === 'begun'),
    isOver: done.size === steps.length,
  }
}

function stateOf(step: PlanStep, { isWanted, isReady, isThere }: Progress) {
  const { id } = step.replica
  if (step.kind === 'start') {
    if (!isWanted(id)) return 'open'
    return isReady(id) ? 'done' : 'begun'
  }
  if (isWanted(id)) return 'open'
  return isThere(step.replica) ? 'begun' : 'done'
}
