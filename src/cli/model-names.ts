/** Which stored model a person means. */
import { catalogHint } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { nearest } from '#std/closest.ts'

interface Named {
  readonly reference: string
}

/**
 * By its reference, or by the end of it: `Qwen3-8B-GGUF:Q4_K_M` for `hf:Qwen/Qwen3-8B-GGUF:Q4_K_M`.
 * Null where none is meant.
 * @throws {CommandFailure} where several are.
 */
export function findModel<Model extends Named>(
  models: readonly Model[],
  name: string,
): Model | null {
  const exact = models.find(({ reference }) => reference === name)
  if (exact !== undefined) return exact
  const ending = endingIn(models, name)
  if (ending.length > 1) {
    const names = ending.map(({ reference }) => reference).join(', ')
    throw new CommandFailure('wrong', `"${name}" may be ${names}: write one of them in full`)
  }
  return ending[0] ?? null
}

/**
 * The longest ending of a reference that has room in `width` and that `findModel` takes for it; the
 * reference itself where none is.
 */
export function shortName(models: readonly Named[], reference: string, width: number): string {
  if (reference.length <= width) return reference
  const endings = [...reference.matchAll(/[/:]+/g)].map(({ index, 0: mark }) =>
    reference.slice(index + mark.length),
  )
  const meansIt = (name: string) =>
    endingIn(models, name).length === 1 && !models.some((model) => model.reference === name)
  return endings.find((name) => name.length <= width && meansIt(name)) ?? reference
}

/** @throws {CommandFailure} where no model is meant. */
export function findModelOrFail<Model extends Named>(
  models: readonly Model[],
  name: string,
): Model {
  const found = findModel(models, name)
  if (found !== null) return found
  const near = nearest(
    name,
    models.map(({ reference }) => reference),
    2,
  )
  const known = catalogHint(name)
  if (known !== null) throw new CommandFailure('no', known)
  const hint =
    near.length === 0 ? '"motley model pull" brings one here' : `here are ${near.join(', ')}`
  throw new CommandFailure('no', `there is no model "${name}" on this machine: ${hint}`)
}

function endingIn<Model extends Named>(models: readonly Model[], name: string): readonly Model[] {
  return models.filter(({ reference }) => {
    const start = reference.length - name.length
    return name !== '' && reference.endsWith(name) && /[/:]/.test(reference[start - 1] ?? '')
  })
}
