/** What is printed when a gateway has started: where it is, and what to try. */
import type { NetworkInterfaceInfo } from 'node:os'
import { paint } from '#cli/terminal.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { endpointName } from '#core/config/endpoints.ts'
import { motleyVersion } from '#embedded/motley-version.ts'

export interface ReadyFacts {
  /** Where clients reach it; see {@link reachableUrl}. */
  readonly url: string
  readonly config: MotleyConfig
  /** Models of engines that this command started. */
  readonly ownModels: readonly string[]
  /** The one of them that is still being loaded; null when none is. */
  readonly loading: string | null
  /** Whether there is an endpoint at all. */
  readonly hasEndpoints: boolean
  /** What commands need to ask this gateway; see `urlFlag`. */
  readonly flag: string
}

export function readyText(facts: ReadyFacts): string {
  const { url, config, ownModels, loading, hasEndpoints, flag } = facts
  const models = hasEndpoints ? [...new Set([...ownModels, ...configuredModels(config)])] : []
  const list = models.map((model) => (model === loading ? `${model} (still loading)` : model))
  return `${paint('bold', `Motley ${motleyVersion} listens.`)}

  API     ${url}/v1
  Models  ${list.join(', ') || (hasEndpoints ? `those of the endpoints: motley models${flag}` : 'none')}
  Stats   ${url}/stats
  Stop    Ctrl-C
${hasEndpoints ? `\nTry it:\n\n${tryText(url, config, models[0])}\n` : ''}`
}

/** A question; where no model is known yet, the list of those that may be asked. */
function tryText(url: string, { gateway }: MotleyConfig, model: string | undefined): string {
  const parts = [
    ...(gateway.keys.length === 0 ? [] : ['-H "authorization: Bearer $MOTLEY_KEY"']),
    ...(model === undefined
      ? []
      : [
          "-H 'content-type: application/json'",
          `-d '{"model":"${model}",\n         "messages":[{"role":"user","content":"What is Motley?"}]}'`,
        ]),
  ]
  const address = model === undefined ? `${url}/v1/models` : `-i ${url}/v1/chat/completions`
  return `  ${[`curl ${address}`, ...parts].join(' \\\n    ')}`
}

/**
 * The URL as other machines can use it: one that listens on every address is no address to go to.
 * The first address of this machine stands in for it, or its name where it has none.
 */
export function reachableUrl(
  url: string,
  interfaces: Readonly<Record<string, NetworkInterfaceInfo[] | undefined>>,
  hostname: string,
): string {
  const { hostname: host, port } = new URL(url)
  if (host !== '0.0.0.0' && host !== '[::]') return url
  const addresses = Object.values(interfaces).flatMap((each) => each ?? [])
  const outside = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
  return `http://${outside?.address ?? hostname}:${port}`
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

export function endpointsText({ endpoints }: MotleyConfig, flag: string): string {
  const names = endpoints.map(endpointName)
  const shown = names.length > 8 ? [...names.slice(0, 8), `${names.length - 8} more`] : names
  return `Endpoints: ${shown.join(', ')}; "motley status${flag}" shows how they are.`
}

/** Why nothing can be answered. `file` is the configuration that was read; null for none. */
export function noEndpointsText(file: string | null, otherWay: string): string {
  return file === null
    ? `there is no motley.yaml here, so no endpoint is known and every request is refused: name a file with -c, or ${otherWay}`
    : `${file} names no endpoints, so every request is refused: add some under "endpoints", or ${otherWay}`
}
