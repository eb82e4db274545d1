/** The embedded engine as an endpoint of the gateway that this process runs. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import {
  backOffMs,
  ChildStartError,
  type SupervisedChild,
  superviseChild,
} from '#cli/child-process.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { engineDirectory, isInstalled } from '#cli/data-directory.ts'
import { packageFile, roomProgram } from '#cli/package-files.ts'
import { embeddedEndpointName } from '#core/config/document.ts'
import type { EmbeddedConfig } from '#core/config/embedded.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { chooseVariant } from '#embedded/variant.ts'

export interface EmbeddedChild {
  readonly child: SupervisedChild
  readonly endpoint: EndpointConfig
  readonly model: string
}

/** The model that comes with Motley: it answers on a machine where nothing is set up. */
export const bundledModel: EmbeddedConfig = {
  model: packageFile('models/motley-tiny.gguf'),
  name: 'motley-tiny',
}

/** @throws {CommandFailure} */
export async function startEmbedded(
  config: EmbeddedConfig,
  log: (line: string) => void,
): Promise<EmbeddedChild> {
  if (!existsSync(config.model)) {
    throw new CommandFailure(
      'wrong',
      `there is no model file ${config.model}: name a GGUF file with --model or embedded.model`,
    )
  }
  const model = config.name ?? basename(config.model).replace(/\.gguf$/i, '')
  // Only this gateway may ask the engine: it listens where every user of the machine could.
  const key = randomBytes(24).toString('base64url')
  try {
    const child = await superviseChild({
      name: 'the embedded engine',
      program: roomProgram('embedded/main'),
      args: (port) => embeddedArgs(config, model, port),
      env: { MOTLEY_EMBEDDED_KEY: key },
      restartMs: backOffMs,
      log,
      onLine({ ready, loadMs }) {
        if (ready === true) log(`${model} is loaded (${Number(loadMs) / 1000} s)`)
      },
    })
    const endpoint = endpointConfig.parse({
      name: embeddedEndpointName,
      url: child.url,
      engine: 'motley-embedded',
      models: [model],
      apiKey: key,
    })
    return { child, endpoint, model }
  } catch (error) {
    if (!(error instanceof ChildStartError)) throw error
    throw new CommandFailure(
      'unreachable',
      `the embedded engine does not start: ${error.message}; try another model, or --no-embedded`,
      { cause: error },
    )
  }
}

function embeddedArgs(config: EmbeddedConfig, model: string, port: number): string[] {
  const { variant, included } = chooseVariant()
  const installed = !included && isInstalled(variant) ? engineDirectory(variant) : undefined
  const options: Readonly<Record<string, string | number | undefined>> = {
    model: config.model,
    name: model,
    port,
    slots: config.slots,
    context: config.contextTokens,
    threads: config.threads,
    'engine-directory': installed,
  }
  return Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
}
