/** The thread of a routing script: one request at a time, in the order in which they come. */
import { parentPort, workerData } from 'node:worker_threads'
import { openSandbox, SandboxError } from '#gateway/script/sandbox.ts'
import type { FromScript, ToScript } from '#gateway/script/script-wire.ts'

const port = parentPort
if (port === null) throw new Error('it is started as a thread')

/** What this thread has computed, where Node (from 23.9) tells. */
function computedMs(): number {
  const usage = process.threadCpuUsage()
  return (usage.user + usage.system) / 1_000
}

const isTold = (process as Partial<NodeJS.Process>).threadCpuUsage !== undefined

const tell = (message: FromScript): void => port.postMessage(message)

try {
  const sandbox = await openSandbox(String(workerData), isTold ? computedMs : null)
  port.on('message', ({ request, endpoints }: ToScript) => tell(sandbox.choose(request, endpoints)))
  tell({ kind: 'loaded' })
} catch (error) {
  if (!(error instanceof SandboxError)) throw error
  tell({ kind: 'unusable', why: error.message })
}
