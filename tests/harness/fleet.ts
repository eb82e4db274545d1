/** A gateway over real sockets in front of emulated engines, for tests that cross rooms. */
import { once } from 'node:events'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { watchEndpoints } from '#agent/endpoint-watcher.ts'
import { motleyConfig } from '#core/config/document.ts'
import type { EndpointId } from '#core/ids.ts'
import { type Emulator, startEmulator } from '#emulator/emulator.ts'
import type { EmulatorOptions } from '#emulator/options.ts'
import { formFields } from '#engines/index.ts'
import { type Gateway, startGateway } from '#gateway/gateway.ts'
import { afterTest } from './after-test.ts'
import { untilTrue } from './until-true.ts'

/** An emulated engine without delays of its own. */
export async function engine(options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  const emulator = await startEmulator({ engine: 'vllm', speed: 0, ...options })
  afterTest(() => emulator.close())
  return emulator
}

/** What a test says of motley.yaml; everything else is as a user gets it. */
export type ConfigText = Record<string, unknown>

export interface Fleet {
  readonly gateway: Gateway
  readonly url: string
  readonly log: readonly string[]
  reload(config: ConfigText): ReturnType<Gateway['reload']>
  /** Resolves once `condition` of GET /admin/v1/endpoints holds; rejects with the last rows. */
  until(
    what: string,
    condition: (rows: readonly EndpointRow[]) => boolean,
  ): Promise<readonly EndpointRow[]>
  rows(): Promise<readonly EndpointRow[]>
}

export interface EndpointRow {
  readonly name: string
  readonly state: string
  readonly reason: string | null
  readonly inFlight: number
  readonly requestsTotal: number
  readonly errorsTotal: number
  readonly clientAbortsTotal: number
  readonly retriesTotal: number
  readonly effectiveWeight: number
  readonly models: readonly string[]
}

/** `MOTLEY_TEST_STRATEGY=fastest npx vitest run tests/…` runs the tests by another strategy. */
const { MOTLEY_TEST_STRATEGY: strategy } = process.env

function complete(config: ConfigText) {
  const gateway = (config['gateway'] ?? {}) as Record<string, unknown>
  return motleyConfig.parse({
    ...config,
    gateway: { listen: '127.0.0.1:0', accessLog: 'off', ...gateway },
    routing: {
      slowStartMs: 0,
      ...(strategy === undefined ? {} : { strategy }),
      ...((config['routing'] ?? {}) as object),
    },
  })
}

export interface FleetOptions {
  /** False leaves active checks out: only what requests see counts. */
  readonly watched?: boolean
  /** False returns before every endpoint is ready. */
  readonly settled?: boolean
  readonly chance?: () => number
  /** With what to read the endpoints, for a gateway that has keys. */
  readonly adminKey?: string
}

export async function fleet(config: ConfigText, options: FleetOptions = {}): Promise<Fleet> {
  const log: string[] = []
  const parsed = complete(config)
  let suspect = (_id: EndpointId): void => {}
  const gateway = await startGateway({
    config: parsed,
    log: (line) => log.push(line),
    version: 'test',
    onSuspect: (id) => suspect(id),
    formFields,
    ...(options.chance === undefined ? {} : { chance: options.chance }),
  })
  afterTest(() => gateway.close())
  const watcher =
    options.watched === false
      ? null
      : watchEndpoints({ endpoints: parsed.endpoints, report: (report) => gateway.report(report) })
  suspect = (id) => watcher?.checkNow(id)
  afterTest(() => watcher?.close())
  const rows = async (): Promise<readonly EndpointRow[]> => {
    const page = await readPage(`${gateway.url}/admin/v1/endpoints`, options.adminKey ?? 'none')
    return (JSON.parse(page) as { endpoints: EndpointRow[] }).endpoints
  }
  const made: Fleet = {
    gateway,
    url: gateway.url,
    log,
    rows,
    reload: (next) => {
      const outcome = gateway.reload(complete(next))
      if (outcome.applied) watcher?.update(complete(next).endpoints)
      return outcome
    },
    until: async (what, condition) => {
      let last: readonly EndpointRow[] = []
      const look = async () => {
        last = await rows()
        return condition(last)
      }
      await untilTrue(what, look, { everyMs: 15, seen: () => last })
      return last
    },
  }
  if (options.watched !== false && options.settled !== false) {
    await made.until('every endpoint is ready', (now) =>
      now.every(({ state }) => state === 'ready'),
    )
  }
  return made
}

/** On a connection of its own, that no test finds open when it counts them. */
async function readPage(url: string, key: string): Promise<string> {
  const request = httpGet(url, { agent: false, headers: { authorization: `Bearer ${key}` } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const body = await text(response)
  if (response.statusCode !== 200) throw new Error(`${url}: ${response.statusCode} ${body}`)
  return body
}

/**
 * Endpoint entries for emulators, checked often so that tests need not wait. On a machine with other
 * work to do a check may take long: what ends one that hangs is given by the test that has one.
 */
export function endpointsOf(
  emulators: Readonly<Record<string, { readonly url: string }>>,
  more: Record<string, unknown> = {},
): ConfigText[] {
  return Object.entries(emulators).map(([name, { url }]) => ({
    name,
    url,
    health: { intervalMs: 100, timeoutMs: 5_000 },
    ...more,
  }))
}

export const question = {
  model: 'llama-3.1-8b',
  messages: [{ role: 'user', content: 'Say something.' }],
  max_tokens: 20,
}

export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  })
}

export function chat(
  url: string,
  body: Record<string, unknown> = {},
  init: RequestInit = {},
): Promise<Response> {
  return post(`${url}/v1/chat/completions`, { ...question, ...body }, init)
}

/** The `data:` of each event of a stream that may break; `broken` tells whether it did. */
export async function readEvents(
  response: Response,
): Promise<{ readonly events: string[]; readonly broken: boolean; readonly text: string }> {
  const decoder = new TextDecoder()
  let text = ''
  let broken = false
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true })
    }
  } catch {
    broken = true
  }
  const events = text
    .split(/\r?\n\r?\n/)
    .filter((event) => event.includes('data:'))
    .map((event) =>
      event
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trimStart())
        .join('\n'),
    )
  return { events, broken, text }
}

/** The text of a chat stream. */
export function contentOf(events: readonly string[]): string {
  return events
    .filter((event) => event !== '[DONE]')
    .map((event) => JSON.parse(event).choices?.[0]?.delta?.content ?? '')
    .join('')
}
