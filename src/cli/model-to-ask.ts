/** Which model a load asks for: the one that was named, if it is served, or the only one there is. */
import { CommandFailure } from '#cli/command-failure.ts'
import { askGateway, NoAnswerFailure } from '#cli/gateway-client.ts'
import { closest } from '#std/closest.ts'

/** One that is not served would be refused as often as there are requests. */
export async function modelToAsk(
  wanted: string | undefined,
  gateway: { url: string | undefined },
  signal: AbortSignal,
): Promise<string> {
  const names = await servedNames(gateway, signal).catch((error: unknown) => {
    // A server that cannot list its models may answer all the same; nobody at all will not.
    const isAnswer = error instanceof CommandFailure && !(error instanceof NoAnswerFailure)
    if (wanted !== undefined && isAnswer && !signal.aborted) return [] as readonly string[]
    throw error
  })
  if (wanted !== undefined && (names.length === 0 || names.includes(wanted))) return wanted
  if (wanted !== undefined) {
    const meant = closest(wanted, names)
    const hint = meant === null ? '' : `; did you mean ${meant}?`
    throw new CommandFailure(
      'no',
      `--model "${wanted}" is not served there: there is ${names.slice(0, 10).join(', ')}${hint}`,
    )
  }
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new CommandFailure(
    'wrong',
    names.length === 0
      ? 'no model is served there: "motley status" says why'
      : `say which model with --model: ${names.slice(0, 10).join(', ')}`,
  )
}

/** @throws {CommandFailure} where nobody tells. */
async function servedNames(
  gateway: { url: string | undefined },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const list = (await askGateway('/v1/models', gateway, 'any key', { signal })) as {
    readonly data?: readonly { readonly id: string }[]
  } | null
  return (list?.data ?? []).map(({ id }) => id)
}
