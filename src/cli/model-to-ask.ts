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
  const models = await servedModels(gateway, signal).catch((error: unknown) => {
    // A server that cannot list its models may answer all the same; nobody at all will not.
    const isAnswer = error instanceof CommandFailure && !(error instanceof NoAnswerFailure)
    if (wanted !== undefined && isAnswer && !signal.aborted) return [] as readonly ServedModel[]
    throw error
  })
  const names = models.map(({ id }) => id)
  if (wanted !== undefined && (names.length === 0 || names.includes(wanted))) return wanted
  if (wanted !== undefined) {
    const meant = closest(wanted, names)
    const hint = meant === null ? '' : `; did you mean ${meant}?`
    throw new CommandFailure(
      'no',
      `--model "${wanted}" is not served there: there is ${names.slice(0, 10).join(', ')}${hint}`,
    )
  }
  const [first] = models
  if (first === undefined) {
    throw new CommandFailure('no', 'no model is served there: "motley status" says why')
  }
  const meant = new Set(models.map(modelBehind))
  if (meant.size === 1) return (models.find(({ id }) => meant.has(id)) ?? first).id
  throw new CommandFailure(
    'wrong',
    `say which model with --model: ${names.slice(0, 10).join(', ')}`,
  )
}

/** One of GET /v1/models; other servers than Motley know no aliases. */
interface ServedModel {
  readonly id: string
  readonly motley?: { readonly alias_of?: string }
}

/** An alias is no second model. */
function modelBehind({ id, motley }: ServedModel): string {
  return motley?.alias_of ?? id
}

/** @throws {CommandFailure} where nobody tells. */
async function servedModels(
  gateway: { url: string | undefined },
  signal: AbortSignal,
): Promise<readonly ServedModel[]> {
  const list = (await askGateway('/v1/models', gateway, 'any key', { signal })) as {
    readonly data?: readonly ServedModel[]
  } | null
  return list?.data ?? []
}
