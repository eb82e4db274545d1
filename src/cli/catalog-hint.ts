/** What a person may have meant by a name that stands where weights are asked for. */
import { CommandFailure } from '#cli/command-failure.ts'
import { closest } from '#std/closest.ts'
import { catalogModel, catalogNames, catalogVariant } from '#weights/catalog/model-catalog.ts'
import { parseReference, type WeightsReference } from '#weights/reference.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** @throws {CommandFailure} that knows the names of the catalogue. */
export function readReference(text: string): WeightsReference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error
    throw new CommandFailure('wrong', catalogHint(text) ?? error.message, { cause: error })
  }
}

/** The name proper, where this is another name of the same files; null where it is that itself. */
export function aliasOf(name: string): string | null {
  const model = catalogModel(name)
  return model === null || model.name === name.toLowerCase() ? null : model.name
}

/** Null where it is nothing like a name of the catalogue. */
export function catalogHint(text: string): string | null {
  const [name = '', quantization = 'Q4_K_M'] = text.split(':')
  const model = catalogModel(name)
  if (model === null) {
    const meant = /[/\\]/.test(text) ? null : closest(name, catalogNames())
    return meant === null
      ? null
      : `there are no weights "${text}": did you mean ${meant}? "motley fit ${meant}" shows its files`
  }
  const file = catalogVariant(name, quantization) ?? model.variants.at(0)
  const other = aliasOf(name)
  const what = other === null ? 'a model of the catalogue' : `an alias of ${other} in the catalogue`
  return `"${name}" is ${what}, of which there are several files: name one, as ${file?.source ?? 'hf:owner/repo'}; "motley fit ${name}" says which fit`
}
