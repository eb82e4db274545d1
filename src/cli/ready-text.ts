/** What is printed when a gateway has started: where it is, and what to try. */
import { paint } from '#cli/terminal.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { endpointName } from '#core/config/endpoints.ts'
import { motleyVersion } from '#embedded/motley-version.ts'

export interface ReadyFacts {
  readonly url: string
  readonly config: MotleyConfig
  /** Models of engines that this command started. */
  readonly ownModels: readonly string[]
}

export function readyText({ url, config, ownModels }: ReadyFacts): string {
  const models = [...new Set([...ownModels, ...configuredModels(config)])]
  const model = models[0] ?? 'MODEL'
  const key = config.gateway.keys.length === 0 ? '' : ` -H "authorization: Bearer $KEY" \\\n   `
  const list = models.length === 0 ? 'those of the endpoints: motley models' : models.join(', ')
  return `${paint('bold', `Motley ${motleyVersion} listens.`)}

  API     ${url}/v1
  Models  ${list}
  Stats   ${url}/stats
  Stop    Ctrl-C

Try it:

  curl ${url}/v1/chat/completions \\
   ${key} -H 'content-type: application/json' \\
    -d '{"model":"${model}","messages":[{"role":"user","content":"What is Motley?"}]}'
`
}

/** What the configuration says of models; endpoints that are asked may have more. */
function configuredModels({ endpoints, models }: MotleyConfig): string[] {
  return [
    ...Object.keys(models),
    ...endpoints.flatMap(({ models: served }) =>
      served === undefined ? [] : Array.isArray(served) ? served : Object.keys(served),
    ),
  ]
}

export function endpointsText({ endpoints }: MotleyConfig): string {
  const names = endpoints.map(endpointName)
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names
  return `Endpoints: ${shown.join(', ') || 'none'}; "motley status" shows how they are.`
}
