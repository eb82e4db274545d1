/**
 * How gateways offer what was applied beside their configuration: its models under their names and
 * aliases, with their fallbacks, and held to the targets of their deployments.
 */
import type { DeploymentState } from '#controller/deployment-state.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type ModelConfig, modelConfig } from '#core/config/models.ts'
import { ownValue } from '#std/own-value.ts'

type Models = MotleyConfig['models']

/** What a configuration says of a model counts; its own names are nobody else's aliases. */
export function withAppliedModels(
  configured: Models,
  { deployments, served }: Pick<DeploymentState, 'deployments' | 'served'>,
): Models {
  const models: Record<string, ModelConfig> = { ...configured }
  const taken = new Set(
    Object.entries(configured).flatMap(([name, { aliases }]) => [name, ...aliases]),
  )
  for (const { deployment, origin } of Object.values(deployments)) {
    if (origin !== 'applied') continue
    const { model, targets, priority } = deployment
    const own = ownValue(models, model) ?? offered(ownValue(served, model)?.served, taken)
    for (const alias of own.aliases) taken.add(alias)
    models[model] = { priority, ...own, targets: { ...written(targets), ...own.targets } }
  }
  return models
}

function offered(said: Omit<ModelConfig, 'variants'> | undefined, taken: ReadonlySet<string>) {
  const model = { ...modelConfig.parse({}), ...said }
  return { ...model, aliases: model.aliases.filter((alias) => !taken.has(alias)) }
}

function written({
  ttftMs,
  tpotMs,
}: {
  readonly ttftMs: number | null
  readonly tpotMs: number | null
}): ModelConfig['targets'] {
  return { ...(ttftMs === null ? {} : { ttftMs }), ...(tpotMs === null ? {} : { tpotMs }) }
}
