/**
 * Names in `routing.rules` that nothing in the file has. No error, as endpoints and nodes may join
 * later, and worth saying: a rule that asks for what nobody is keeps requests from everybody.
 */
import { embeddedEndpointName, type MotleyConfig } from '#core/config/document.ts'
import { endpointName } from '#core/config/endpoints.ts'
import { modelNamesIn, type StrayName } from '#core/config/stray-models.ts'
import { didYouMean } from '#std/closest.ts'

type Rule = MotleyConfig['routing']['rules'][number]
type Demand = NonNullable<Rule['require']>
type Path = StrayName['path']

export function strayInRules(config: MotleyConfig): readonly StrayName[] {
  return config.routing.rules.flatMap(({ when, require, prefer }, at) => {
    const path = ['routing', 'rules', at]
    return [
      ...strayModelsOf(config, when.models ?? [], [...path, 'when', 'models']),
      ...strayKeysOf(config, when.keys ?? [], [...path, 'when', 'keys']),
      ...(require === null ? [] : strayInDemand(config, require, [...path, 'require'])),
      ...(prefer === null ? [] : strayInDemand(config, prefer, [...path, 'prefer'])),
    ]
  })
}

/** Where engines are asked for their models, any name may be one: only what is nearly another is told. */
function strayModelsOf(config: MotleyConfig, models: readonly string[], path: Path): StrayName[] {
  const aliases = new Map(
    Object.entries(config.models).flatMap(([model, { aliases: own }]) =>
      own.map((alias) => [alias, model] as const),
    ),
  )
  const known = modelNamesIn(config)
  const { endpoints, embedded } = config
  const areAllKnown =
    endpoints.length > 0 &&
    endpoints.every(({ models: served }) => served !== undefined) &&
    (embedded === undefined || embedded.name !== undefined)
  return models.flatMap((name, at) => {
    const here = [...path, at]
    const model = aliases.get(name)
    if (model !== undefined) {
      return [{ path: here, text: `"${name}" is an alias, and rules go by the model: "${model}"` }]
    }
    if (name.includes('*') || known.has(name)) return []
    const hint = didYouMean(name, known)
    if (hint === '' && !areAllKnown) return []
    return [{ path: here, text: `no model of this file is called "${name}"${hint}` }]
  })
}

function strayKeysOf({ gateway }: MotleyConfig, keys: readonly string[], path: Path): StrayName[] {
  const known = gateway.keys.map(({ name }) => name)
  return keys.flatMap((name, at) =>
    known.includes(name)
      ? []
      : [
          {
            path: [...path, at],
            text: `no key of gateway.keys is called "${name}"${didYouMean(name, known)}`,
          },
        ],
  )
}

function strayInDemand(
  config: MotleyConfig,
  { endpoints, nodes, labels }: Demand,
  path: Path,
): StrayName[] {
  return [
    ...(endpoints ?? []).flatMap((name, at) =>
      strayEndpoint(config, name, [...path, 'endpoints', at]),
    ),
    ...(nodes ?? []).flatMap((name, at) => strayNode(config, name, [...path, 'nodes', at])),
    ...Object.entries(labels ?? {}).flatMap(([name, value]) =>
      strayLabel(config, name, value, [...path, 'labels', name]),
    ),
  ]
}

function strayEndpoint(config: MotleyConfig, name: string, path: Path): StrayName[] {
  const known = [
    ...config.endpoints.map(endpointName),
    ...(config.embedded === undefined ? [] : [embeddedEndpointName]),
  ]
  // Replicas are endpoints, too, and are called after their deployment.
  const [, deployment = ''] = /^(.+)-\d+$/.exec(name) ?? []
  if (known.includes(name) || Object.hasOwn(config.deployments, deployment)) return []
  const hint = didYouMean(name, known)
  return [{ path, text: `no endpoint of this file is called "${name}"${hint}` }]
}

/** Nodes need not be in the file: only what is nearly one of it is told. */
function strayNode({ nodes, endpoints }: MotleyConfig, name: string, path: Path): StrayName[] {
  const known = new Set([
    ...Object.keys(nodes),
    ...endpoints.flatMap(({ labels }) => labels['node'] ?? []),
  ])
  const hint = known.has(name) ? '' : didYouMean(name, known)
  return hint === '' ? [] : [{ path, text: `no node of this file is called "${name}"${hint}` }]
}

/** Replicas have the label of their node alone. */
function strayLabel(
  { endpoints }: MotleyConfig,
  name: string,
  value: string,
  path: Path,
): StrayName[] {
  if (name === 'node') return []
  const names = new Set(endpoints.flatMap(({ labels }) => Object.keys(labels)))
  if (!names.has(name)) {
    const hint = didYouMean(name, names)
    return [{ path, text: `no endpoint of this file has the label "${name}"${hint}` }]
  }
  const values = new Set(endpoints.flatMap(({ labels }) => labels[name] ?? []))
  if (values.has(value)) return []
  const hint = didYouMean(value, values)
  return [{ path, text: `no endpoint of this file has "${value}" for the label "${name}"${hint}` }]
}
