/** The emulator's own routes, which no engine has: what it is, other faults, its end. */
import type { ServerResponse } from 'node:http'
import { jsonPage, type Page } from '#emulator/dialect.ts'
import { type Fault, FaultSyntaxError } from '#emulator/fault.ts'
import { toFault } from '#emulator/options.ts'
import { parseJson } from '#emulator/request-body.ts'

export interface ControlRequest {
  readonly method: string
  readonly path: string
  readonly response: ServerResponse
  /** Answers itself where the body is too large. */
  readonly readBody: (then: (body: Buffer) => void) => void
  readonly send: (page: Page, headers?: Readonly<Record<string, string>>) => void
}

export interface Controlled {
  describe(): Readonly<Record<string, unknown>>
  setFaults(faults: readonly Fault[]): void
  exit(): void
}

export function isControlPath(path: string): boolean {
  return path === '/emulator' || path.startsWith('/emulator/')
}

export function answerControl(request: ControlRequest, emulator: Controlled): void {
  const { method, path, response, readBody, send } = request
  switch (`${method} ${path}`) {
    case 'GET /emulator':
      send(jsonPage(200, emulator.describe()))
      return
    case 'POST /emulator/faults':
      readBody((body) => replaceScript(body, request, emulator))
      return
    case 'POST /emulator/exit':
      response.once('finish', () => emulator.exit())
      send(jsonPage(200, { exiting: true }), { connection: 'close' })
      return
    default:
      send(
        failure(
          404,
          'The emulator has GET /emulator, POST /emulator/faults and POST /emulator/exit.',
        ),
      )
  }
}

function replaceScript(
  body: Buffer,
  { response, send }: ControlRequest,
  emulator: Controlled,
): void {
  const list = parseJson(body)
  if (!isTexts(list)) {
    send(failure(400, 'The body must be a JSON list of faults, such as ["cut:40@first"].'))
    return
  }
  let faults: readonly Fault[]
  try {
    faults = list.map(toFault)
  } catch (error) {
    if (!(error instanceof FaultSyntaxError)) throw error
    send(failure(400, error.message))
    return
  }
  // The answer goes first: the new script may close this very connection.
  response.once('finish', () => emulator.setFaults(faults))
  send(jsonPage(200, { faults: list }))
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function failure(status: number, message: string): Page {
  return jsonPage(status, { error: { message } })
}
