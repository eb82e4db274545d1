/** The deployments of a configuration, with where the weights of each are and what is known of them. */
import type { Wishes } from '#controller/deploying.ts'
import type { WantedDeployment } from '#controller/deployment-state.ts'
import type { DeploymentConfig } from '#core/config/deployments.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { isReference } from '#core/config/written.ts'
import type { ModelVariant } from '#core/deployment.ts'
import type { WeightsFormat } from '#core/engine-build.ts'
import { ownValue } from '#std/own-value.ts'
import { catalogModel, catalogNames } from '#weights/catalog/model-catalog.ts'

export function wishesOf({ deployments, models, nodes }: MotleyConfig): Wishes {
  return {
    deployments: Object.entries(deployments).map(([name, written]) =>
      deploymentOf(name, written, models),
    ),
    statements: nodes,
    models: servedBy(deployments, models),
  }
}

/** How those models are offered that deployments serve, as far as the configuration says it. */
function servedBy(
  deployments: MotleyConfig['deployments'],
  models: MotleyConfig['models'],
): Wishes['models'] {
  const names = new Set(Object.values(deployments).map(({ model }) => model))
  return Object.fromEntries(
    Object.entries(models)
      .filter(([name]) => names.has(name))
      .map(([name, { variants: _placed, ...served }]) => [name, served]),
  )
}

function deploymentOf(
  name: string,
  written: DeploymentConfig,
  models: MotleyConfig['models'],
): WantedDeployment {
  const { task, model, replicas, sleepAfterMs, targets, constraints, priority, share } = written
  return {
    name,
    task,
    model,
    variants: variantsOf(model, models),
    replicas: { min: replicas.min, max: replicas.max ?? Math.max(1, replicas.min) },
    sleepAfterMs,
    contextTokens: written.context ?? null,
    slots: written.slots ?? null,
    kvCacheTypes: written.kvCacheTypes ?? null,
    offload: written.offload,
    targets: {
      ttftMs: targets.ttftMs ?? null,
      tpotMs: targets.tpotMs ?? null,
      tokensPerSecond: targets.tokensPerSecond ?? null,
      startMs: targets.startMs ?? null,
      bestEffort: targets.bestEffort,
    },
    constraints: {
      backends: constraints.backends ?? null,
      engines: constraints.engines ?? null,
      nodes: constraints.nodes ?? null,
      labels: constraints.labels,
      minVramBytes: constraints.minVram ?? null,
      tolerations: constraints.tolerations,
      awayFrom: constraints.awayFrom,
    },
    priority,
    share,
  }
}

/** What the configuration says; else what the catalogue knows; else the reference that it is. */
function variantsOf(model: string, models: MotleyConfig['models']): ModelVariant[] {
  const written = ownValue(models, model)?.variants ?? []
  if (written.length > 0) {
    return written.map(({ source, engines, format }) => {
      const known = catalogVariantOf(source)
      return {
        source,
        engines: engines ?? null,
        format: format ?? known?.format ?? formatOf(source),
        facts: known?.facts ?? null,
      }
    })
  }
  const known = catalogModel(model)
  if (known !== null) return [...known.variants]
  return isReference(model)
    ? [{ source: model, engines: null, format: formatOf(model), facts: null }]
    : []
}

let bySource: ReadonlyMap<string, ModelVariant> | null = null

/** The very file or repository, if the catalogue has it under whatever name. */
function catalogVariantOf(source: string): ModelVariant | null {
  bySource ??= new Map(
    catalogNames().flatMap((name) =>
      (catalogModel(name)?.variants ?? []).map((variant) => [variant.source, variant] as const),
    ),
  )
  return bySource.get(source) ?? null
}

/** By how such sources are named, until somebody has read their headers. */
function formatOf(source: string): WeightsFormat {
  if (/\.gguf(#.*)?$/i.test(source) || /-gguf\b/i.test(source)) return 'gguf'
  if (/^hf:mlx-community\//i.test(source)) return 'mlx'
  if (/\/ggml-[^/]*\.bin$/i.test(source)) return 'ggml'
  if (/faster-whisper|-ct2\b/i.test(source)) return 'ctranslate2'
  if (/^hf:openvino\//i.test(source)) return 'openvino'
  return 'safetensors'
}
