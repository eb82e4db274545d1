/** Which stored model a person means. */
import { CommandFailure } from '#cli/command-failure.ts'
import { nearest } from '#std/closest.ts'
import type { StoredModel } from '#weights/store.ts'

/**
 * By its reference, or by the end of it: `Qwen3-8B-GGUF:Q4_K_M` for `hf:Qwen/Qwen3-8B-GGUF:Q4_K_M`.
 * Null where none is meant.
 * @throws {CommandFailure} where several are.
 */
export function findModel(models: readonly StoredModel[], name: string): StoredModel | null {
  const exact = models.find(({ reference }) => reference === name)
  if (exact !== undefined) return exact
  const ending = models.filter(({ reference }) => {
    const start = reference.length - name.length
    return name !== '' && reference.endsWith(name) && /[/:]/.test(reference[start - 1] ?? '')
  })
  if (ending.length > 1) {
    const names = ending.map(({ reference }) => reference).join(', ')
    throw new CommandFailure('wrong', `"${name}" may be ${names}: write one of them in full`)
  }
  return ending[0] ?? null
}

/** @throws {CommandFailure} where no model is meant. */
export function findModelOrFail(models: readonly StoredModel[], name: string): StoredModel {
  const found = findModel(models, name)
  if (found !== null) return found
  const near = nearest(
    name,
    models.map(({ reference }) => reference),
    2,
  )
  const hint =
    near.length === 0 ? '"motley model pull" brings one here' : `here are ${near.join(', ')}`
  throw new CommandFailure('no', `there is no model "${name}" on this machine: ${hint}`)
}
