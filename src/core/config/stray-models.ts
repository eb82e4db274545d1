/**
 * Names of models that nothing in the file has and that are nearly those of one that it has. No
 * error, as an endpoint may serve a model of that name, and worth saying, as most are slips.
 */
import type { MotleyConfig } from '#core/config/document.ts'
import { didYouMean } from '#std/closest.ts'

/** A name in the configuration that nothing in it has. */
export interface StrayName {
  readonly path: readonly (string | number)[]
  /** A clause, with what was probably meant. */
  readonly text: string
}

export function strayModels(config: MotleyConfig): readonly StrayName[] {
  const known = modelNamesIn(config)
  return askedIn(config).flatMap(({ path, name }) => {
    const hint = known.has(name) ? '' : didYouMean(name, known)
    return hint === '' ? [] : [{ path, text: `nothing here is called "${name}"${hint}` }]
  })
}

/** Every model that the file names, by all its names. */
export function modelNamesIn({
  models,
  deployments,
  endpoints,
  embedded,
}: MotleyConfig): ReadonlySet<string> {
  return new Set([
    ...Object.entries(models).flatMap(([name, { aliases }]) => [name, ...aliases]),
    ...Object.values(deployments).map(({ model }) => model),
    ...endpoints.flatMap(({ models: served = [] }) =>
      Array.isArray(served) ? served : Object.keys(served),
    ),
    ...(embedded?.name === undefined ? [] : [embedded.name]),
  ])
}

function askedIn({
  models,
  gateway,
}: MotleyConfig): { readonly path: StrayName['path']; readonly name: string }[] {
  const fallbacks = Object.entries(models).flatMap(([model, { fallback }]) =>
    fallback.map((name, at) => ({ path: ['models', model, 'fallback', at], name })),
  )
  const allowed = gateway.keys.flatMap(({ models: names = [] }, key) =>
    names.map((name, at) => ({ path: ['gateway', 'keys', key, 'models', at], name })),
  )
  return [...fallbacks, ...allowed]
}
