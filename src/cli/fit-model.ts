/** Which model a person means, and what there is of it. */
import { aliasOf } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { findFiles, withWeights } from '#cli/weights-session.ts'
import type { ModelVariant } from '#core/deployment.ts'
import type { Task } from '#core/task.ts'
import { closest } from '#std/closest.ts'
import { catalogModel, catalogNames, catalogVariant } from '#weights/catalog/model-catalog.ts'
import { inspectFiles } from '#weights/inspect.ts'

export interface FitModel {
  readonly name: string
  /** The name proper, where it was asked for by another one of the catalogue. */
  readonly aliasOf: string | null
  readonly task: Task
  readonly parameterCount: number
  readonly contextTokens: number | null
  readonly variants: readonly ModelVariant[]
}

/**
 * A model of the catalogue, one quantization of it (`llama-3.1-8b:Q4_K_M`), or a reference whose
 * headers are read.
 * @throws {CommandFailure}
 */
export async function fitModel(text: string): Promise<FitModel> {
  const known = catalogFitModel(text)
  if (known !== null) return known
  if (!/[/\\]|^(hf|https?|file|node):|\.gguf$/i.test(text)) {
    throw new CommandFailure('wrong', unknownModel(text))
  }
  let found: FitModel | null = null
  await withWeights(async (context) => {
    const { reference, files } = await findFiles(text, context)
    const facts = await inspectFiles(files)
    const task = facts.pooling === null ? 'chat' : facts.pooling === 'rank' ? 'rerank' : 'embedding'
    found = {
      name: reference,
      aliasOf: null,
      task,
      parameterCount: facts.parameterCount,
      contextTokens: facts.contextTokens,
      variants: [{ source: reference, format: facts.format, engines: null, facts }],
    }
  })
  if (found === null) throw new CommandFailure('no', 'stopped')
  return found
}

export function catalogFitModel(text: string): FitModel | null {
  const [name = '', quantization] = text.split(':')
  const model = catalogModel(name)
  if (model === null) return null
  const one = quantization === undefined ? undefined : catalogVariant(name, quantization)
  if (one === null) {
    const known = model.variants.flatMap(({ facts }) => facts?.quantization?.split(' ')[0] ?? [])
    const quantizations = [...new Set(known)].join(', ')
    throw new CommandFailure(
      'wrong',
      `there is no ${quantization} of ${name}; there is ${quantizations}`,
    )
  }
  const variants = one === undefined ? model.variants : [one]
  return {
    name,
    aliasOf: aliasOf(name),
    task: model.tasks[0] ?? 'chat',
    parameterCount: model.parameterCount,
    contextTokens: model.variants[0]?.facts?.contextTokens ?? null,
    variants,
  }
}

function unknownModel(text: string): string {
  const names = catalogNames()
  const meant = closest(text, names)
  const hint = meant === null ? '' : `did you mean ${meant}? `
  return `there is no model "${text}" in the catalogue: ${hint}"motley fit --list" shows all, and hf:owner/repo is looked up`
}
