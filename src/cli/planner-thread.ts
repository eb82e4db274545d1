/** The thread that plans for a controller: one question at a time, in the order in which they come. */
import { parentPort } from 'node:worker_threads'
import { planLocally } from '#cli/local-planner.ts'
import type { FromPlanner, ToPlanner } from '#cli/planner-worker.ts'

const port = parentPort
if (port === null) throw new Error('it is started as a thread')

port.on('message', ({ question, input }: ToPlanner) => {
  let answer: FromPlanner
  try {
    answer = { question, plan: planLocally(input), bug: null }
  } catch (error) {
    answer = {
      question,
      plan: null,
      bug: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }
  }
  port.postMessage(answer)
})
