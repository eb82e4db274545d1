import type { ReplicaState } from '#core/replica.ts'

/** States in which an engine may answer: also while it loads, so that it can say so. */
export const ingressStates: ReadonlySet<ReplicaState> = new Set(['starting', 'loading', 'ready'])
