/** What is wrong between `deployments:` and the rest of motley.yaml, each part being right alone. */
import type { Contradiction } from '#core/config/contradiction.ts'
import { asList, asMap, isReference } from '#core/config/written.ts'
import { closest } from '#std/closest.ts'

type Written = Readonly<Record<string, unknown>>

/**
 * `catalog` are the models that need no variants; null where nobody knows them here, and then no
 * model is called unknown.
 */
export function deploymentContradictions(
  deployments: Written,
  models: Written,
  catalog: ReadonlySet<string> | null,
): Contradiction[] {
  return Object.entries(deployments).flatMap(([name, written]) => {
    const deployment = asMap(written)
    return [
      ...unknownModel(name, deployment, models, catalog),
      ...wrongReplicas(name, deployment),
      ...unknownNeighbours(name, deployment, deployments),
      ...noEngineLeft(name, deployment, models),
    ]
  })
}

function unknownModel(
  name: string,
  { model }: Written,
  models: Written,
  catalog: ReadonlySet<string> | null,
): Contradiction[] {
  if (catalog === null || typeof model !== 'string' || isReference(model)) return []
  const written = Object.hasOwn(models, model)
  if (catalog.has(model) || (written && variantsOf(models, model).length > 0)) return []
  const meant = closest(model, [...Object.keys(models), ...catalog])
  const hint = meant === null || written ? '' : `; did you mean "${meant}"?`
  const why = written
    ? `"${model}" stands under "models" without variants, so nobody knows where its weights are; add models["${model}"].variants`
    : `"${model}" is no model of "models", and the catalogue does not know it; add models["${model}"].variants with where its weights are, or write a reference as hf:owner/repo${hint}`
  return [{ path: ['deployments', name, 'model'], message: why }]
}

function wrongReplicas(name: string, { replicas }: Written): Contradiction[] {
  const { min, max } = asMap(replicas)
  if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return []
  return [
    {
      path: ['deployments', name, 'replicas', 'max'],
      message: `at least ${min} replicas (min) cannot be at most ${max}; raise max or lower min`,
    },
  ]
}

function unknownNeighbours(
  name: string,
  { constraints }: Written,
  deployments: Written,
): Contradiction[] {
  return asList(asMap(constraints)['awayFrom']).flatMap((other, index) =>
    typeof other !== 'string' || Object.hasOwn(deployments, other)
      ? []
      : [
          {
            path: ['deployments', name, 'constraints', 'awayFrom', index],
            message: `there is no deployment "${other}"; there is ${Object.keys(deployments).join(', ')}`,
          },
        ],
  )
}

/** The engines that a deployment takes, and those that its variants name, have none in common. */
function noEngineLeft(
  name: string,
  { model, constraints }: Written,
  models: Written,
): Contradiction[] {
  const allowed = asMap(constraints)['engines']
  if (!Array.isArray(allowed) || typeof model !== 'string') return []
  const variants = variantsOf(models, model)
  const suits = (engines: unknown): boolean =>
    !Array.isArray(engines) || engines.some((engine) => allowed.includes(engine))
  if (variants.length === 0 || variants.some((variant) => suits(asMap(variant)['engines']))) {
    return []
  }
  const named = new Set(variants.flatMap((variant) => asList(asMap(variant)['engines'])))
  return [
    {
      path: ['deployments', name, 'constraints', 'engines'],
      message: `no variant of "${model}" names ${allowed.join(' or ')}: they name ${[...named].join(', ')}`,
    },
  ]
}

function variantsOf(models: Written, model: string): readonly unknown[] {
  return Object.hasOwn(models, model) ? asList(asMap(models[model])['variants']) : []
}
