/** Answers of the pages of an engine: health, models, load. Faults about health strike here. */
import type { ServerResponse } from 'node:http'
import type { EmulatorClock } from '#emulator/clock.ts'
import type { Dialect, Page, PageContext, Route } from '#emulator/dialect.ts'
import { notJson } from '#emulator/failure.ts'
import type { FaultScript } from '#emulator/fault-script.ts'
import { parseJson } from '#emulator/request-body.ts'
import { type Fields, isFields } from '#emulator/request-fields.ts'

export interface PageRequest {
  readonly response: ServerResponse
  readonly path: string
  /** Answers itself where the body is too large. */
  readonly readBody: (then: (body: Buffer) => void) => void
  readonly send: (page: Page) => void
  /** How the engine is at the moment of the answer. */
  readonly context: (body: Fields) => PageContext
}

export interface PageEngine {
  readonly dialect: Dialect
  readonly clock: EmulatorClock
  readonly script: FaultScript
}

export function answerPage(
  route: Extract<Route, { kind: 'page' }>,
  request: PageRequest,
  engine: PageEngine,
): void {
  const { path, readBody, send, context } = request
  const answer = (body: Fields): void => send(route.page(context(body)))
  if (route.method === 'POST') {
    readBody((body) => {
      const fields = parseJson(body)
      if (isFields(fields)) answer(fields)
      else send(engine.dialect.failurePage(notJson, path))
    })
  } else if (route.isHealth === true && !engine.script.isEmpty) {
    answerHealth(request, engine, () => answer({}))
  } else {
    answer({})
  }
}

function answerHealth(
  { response, path, send }: PageRequest,
  { dialect, clock, script }: PageEngine,
  answer: () => void,
): void {
  const faults = script.forHealth()
  if (faults.some((fault) => fault.kind === 'loading')) {
    const { whileLoading } = dialect
    const hasPage = whileLoading !== null && whileLoading !== 'refuses'
    send(hasPage ? whileLoading : dialect.failurePage({ kind: 'loading' }, path))
    return
  }
  const slow = faults.find((fault) => fault.kind === 'slow-health')
  if (slow === undefined) {
    answer()
    return
  }
  response.on('close', clock.schedule(slow.delayMs, answer))
}
