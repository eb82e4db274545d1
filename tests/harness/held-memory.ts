/** How much memory is really held: what only waits for the collector does not count. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of buffers that something still refers to. */
export function heldBufferBytes(): number {
  return held().arrayBuffers
}

/** Bytes of JavaScript objects that something still refers to. */
export function heldHeapBytes(): number {
  return held().heapUsed
}

function held(): NodeJS.MemoryUsage {
  // The second waits for what the first left to be swept in the background.
  collect()
  collect()
  return process.memoryUsage()
}
