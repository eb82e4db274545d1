import type { HistoryCheck } from '#placement/planner/checks/check.ts'

/** What ended again and again in one way is tried in another way, or later. */
export const failedStart: HistoryCheck = {
  name: 'failed',
  refuse(_, { devices, engine, backend, source }, failures) {
    const failure = failures.find(
      (one) =>
        one.engine === engine &&
        one.backend === backend &&
        one.source === source &&
        one.devices.join() === devices.join(),
    )
    if (failure === undefined) return null
    return {
      check: 'failed',
      what: `${engine} on ${devices.join('+')} was tried: ${failure.because}`,
      unlockedBy: 'waiting: it is tried again later',
    }
  },
}
