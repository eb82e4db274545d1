/** Asks a running gateway, for the commands that read. */
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'

export interface GatewayOptions {
  readonly url?: string | undefined
}

/** A gateway on this network answers at once; this long only where it is overwhelmed. */
const answerMsMax = 10_000

export function withGatewayOptions(command: Command): Command {
  return command.option('--url <url>', 'the gateway (MOTLEY_URL; default http://127.0.0.1:7070)')
}

/** @throws {CommandFailure} */
export function gatewayUrl({ url }: GatewayOptions): string {
  const base = url ?? (process.env['MOTLEY_URL'] || 'http://127.0.0.1:7070')
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol)) {
    throw new CommandFailure('wrong', `"${base}" is no URL; write one as http://127.0.0.1:7070`)
  }
  return base
}

/**
 * What the gateway answers at a path; null for 404.
 * @throws {CommandFailure}
 */
export async function askGateway(path: string, { url }: GatewayOptions): Promise<unknown> {
  const base = gatewayUrl({ url })
  const key = process.env['MOTLEY_KEY']
  let response: Response
  try {
    response = await fetch(new URL(path, base), {
      headers: key ? { authorization: `Bearer ${key}` } : {},
      signal: AbortSignal.timeout(answerMsMax),
    })
  } catch (error) {
    throw new CommandFailure(
      'unreachable',
      `no gateway answers at ${base} (${networkReason(error)}): start one with "motley up", or name another with --url`,
      { cause: error },
    )
  }
  if (response.status === 401 || response.status === 403) {
    throw new CommandFailure(
      'unreachable',
      key
        ? `the gateway at ${base} does not take the key in MOTLEY_KEY for this: use an admin key`
        : `the gateway at ${base} wants a key: set MOTLEY_KEY to an admin key`,
    )
  }
  if (response.status === 404) return null
  const text = await response.text()
  if (!response.ok) {
    throw new CommandFailure('unreachable', `the gateway at ${base} answered ${response.status}`)
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

function networkReason(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `silent for ${answerMsMax / 1000} s`
  }
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : null
  const code = cause?.code
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOTFOUND') return 'there is no machine of that name'
  return code ?? cause?.message ?? String(error)
}
