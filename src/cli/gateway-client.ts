/** Asks a running gateway, for the commands that read. */
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'

export interface GatewayOptions {
  readonly url?: string | undefined
}

/** A gateway on this network answers at once; this long only where it is overwhelmed. */
const answerMsMax = 10_000

const defaultUrl = 'http://127.0.0.1:7070'

export function withGatewayOptions(command: Command): Command {
  return command.option(
    '--url <url>',
    'the gateway (MOTLEY_URL; default: where motley.yaml lets it listen)',
  )
}

interface GatewayAddress {
  readonly url: string
  /** Where it was found, for messages; null when it is what everybody has. */
  readonly from: string | null
}

/** @throws {CommandFailure} */
export async function gatewayUrl(options: GatewayOptions): Promise<string> {
  return (await findGateway(options)).url
}

async function findGateway({ url }: GatewayOptions): Promise<GatewayAddress> {
  const named = url ?? (process.env['MOTLEY_URL'] || undefined)
  if (named === undefined) return configuredGateway()
  if (!URL.canParse(named) || !/^https?:$/.test(new URL(named).protocol)) {
    throw new CommandFailure('wrong', `"${named}" is no URL; write one as ${defaultUrl}`)
  }
  return { url: named, from: null }
}

/** The gateway that `motley up` would start in this folder. */
async function configuredGateway(): Promise<GatewayAddress> {
  const { configuredListen } = await import('#cli/config-file.ts')
  const found = configuredListen({ env: process.env, cwd: process.cwd() })
  const url = found === null ? null : ownUrl(found.listen)
  return url === null ? { url: defaultUrl, from: null } : { url, from: found?.source ?? null }
}

/** How this machine reaches what listens there; null where any free port is asked for. */
export function ownUrl(listen: string): string | null {
  const colon = listen.lastIndexOf(':')
  const [host, port] = [listen.slice(0, colon), listen.slice(colon + 1)]
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }
  return Number(port) === 0 ? null : `http://${everywhere[host] ?? host}:${port}`
}

/**
 * What a command that is shown has to carry so that it asks this gateway, typed in whatever folder:
 * ` --url …`, or nothing where every command looks there by itself.
 */
export async function urlFlag(listensAt: string): Promise<string> {
  const { hostname, port } = new URL(listensAt)
  const url = ownUrl(`${hostname}:${port || '80'}`) ?? listensAt
  const { url: byItself } = await configuredGateway()
  return url === defaultUrl && byItself === defaultUrl ? '' : ` --url ${url}`
}

/** Nobody is there, or whoever is there says nothing; any other failure is an answer. */
export class NoAnswerFailure extends CommandFailure {}

export interface GatewayQuestion {
  readonly method?: string
  readonly body?: unknown
  /** When the whole answer has to be there. */
  readonly withinMs?: number
  /** Its reason is thrown as it is. */
  readonly signal?: AbortSignal
}

/**
 * What the gateway answers at a path; null for 404. `access` says whose key it takes.
 * @throws {CommandFailure}
 */
export async function askGateway(
  path: string,
  options: GatewayOptions,
  access: 'any key' | 'an admin key',
  ask: GatewayQuestion = {},
): Promise<unknown> {
  const { url: base, from } = await findGateway(options)
  const key = process.env['MOTLEY_KEY']
  const withinMs = ask.withinMs ?? answerMsMax
  const limit = AbortSignal.timeout(withinMs)
  let response: Response
  let text: string
  try {
    response = await fetch(new URL(path, base), {
      method: ask.method ?? 'GET',
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: ask.body === undefined ? null : JSON.stringify(ask.body),
      signal: ask.signal === undefined ? limit : AbortSignal.any([limit, ask.signal]),
    })
    // An answer may begin and not end; that is silence, too.
    text = await response.text()
  } catch (error) {
    ask.signal?.throwIfAborted()
    const why = networkReason(error, withinMs)
    const source = from === null ? '' : `, gateway.listen of ${from}`
    throw new NoAnswerFailure(
      'unreachable',
      `no gateway answers at ${base} (${why}${source}): start one with "motley up", or name another with --url`,
      { cause: error },
    )
  }
  if (response.status === 401 || response.status === 403) {
    const make = access === 'any key' ? '' : '; "motley key create --name ops --admin" makes one'
    throw new CommandFailure(
      'unreachable',
      !key
        ? `the gateway at ${base} wants a key: set MOTLEY_KEY to ${access} of gateway.keys${make}`
        : response.status === 401
          ? `the gateway at ${base} does not know the key in MOTLEY_KEY: set it to ${access} of gateway.keys${make}`
          : `the gateway at ${base} knows the key in MOTLEY_KEY, but not as an admin key, which this needs${make}`,
    )
  }
  if (response.status === 404) return null
  if (response.status === 409 || response.status === 400) {
    throw new CommandFailure('no', refusalWords(text))
  }
  if (!response.ok) {
    const words = response.status >= 503 ? `: ${refusalWords(text)}` : ''
    throw new CommandFailure(
      'unreachable',
      `the gateway at ${base} answered ${response.status}${words}`,
    )
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CommandFailure(
      'unreachable',
      `what answers at ${base} is no Motley gateway: ${path} is not JSON there; check --url`,
      { cause },
    )
  }
}

/** Why a wish was refused, in the words of whoever refused it. */
function refusalWords(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    return String(error?.message ?? text).slice(0, 500)
  } catch {
    return text.slice(0, 500)
  }
}

function networkReason(error: unknown, withinMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `silent for ${withinMs / 1000} s`
  }
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : null
  const code = cause?.code
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND') return 'there is no machine of that name'
  return code ?? cause?.message ?? String(error)
}
