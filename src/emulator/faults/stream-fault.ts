import type { Fault } from '#emulator/fault.ts'

const streamFaultKinds = [
  'cut',
  'end-at',
  'reset-at',
  'stall',
  'garbage',
  'bad-chunk',
  'no-done',
  'mid-error',
  'split-utf8',
  'pings',
] as const satisfies readonly Fault['kind'][]

/** A fault of the bytes of an answer that has begun. */
export type StreamFault = Extract<Fault, { kind: (typeof streamFaultKinds)[number] }>

export function isStreamFault(fault: Fault): fault is StreamFault {
  return streamFaultKinds.some((kind) => kind === fault.kind)
}
