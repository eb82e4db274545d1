/** The embedded engine as an endpoint of the gateway that this process runs. */
import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import {
  backOffMs,
  ChildStartError,
  type SupervisedChild,
  superviseChild,
} from '#cli/child-process.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { engineDirectory, isInstalled } from '#cli/data-directory.ts'
import { modelFileProblem } from '#cli/model-file.ts'
import { packageFile, roomProgram } from '#cli/package-files.ts'
import { embeddedEndpointName } from '#core/config/document.ts'
import type { EmbeddedConfig } from '#core/config/embedded.ts'
import { type EndpointConfig, endpointConfig } from '#core/config/endpoints.ts'
import { chooseVariant } from '#embedded/variant.ts'
import { asClause } from '#std/as-clause.ts'

export interface EmbeddedChild {
  readonly child: SupervisedChild
  readonly endpoint: EndpointConfig
  readonly model: string
  /** Whether the model can answer already; a large one is still being read from the disk. */
  isLoaded(): boolean
}

/** The model that comes with Motley: it answers on a machine where nothing is set up. */
export const bundledModel: EmbeddedConfig = {
  model: packageFile('models/motley-tiny.gguf'),
  name: 'motley-tiny',
}

/**
 * How long the start waits for the model. A small one is loaded by then, and a file that llama.cpp
 * refuses is known as such: both take well under a second on a disk that keeps up.
 */
const loadWaitMs = 5_000

/** @throws {CommandFailure} */
export async function startEmbedded(
  config: EmbeddedConfig,
  log: (line: string) => void,
): Promise<EmbeddedChild> {
  const problem = await modelFileProblem(config.model)
  if (problem !== null) throw new CommandFailure('wrong', problem)
  const model = config.name ?? basename(config.model).replace(/\.gguf$/i, '')
  // Only this gateway may ask the engine: it listens where every user of the machine could.
  const key = randomBytes(24).toString('base64url')
  const { promise: loading, resolve: noteLoaded } = Promise.withResolvers<'loaded'>()
  let loaded = false
  try {
    const child = await superviseChild({
      name: 'the embedded engine',
      program: roomProgram('embedded/main'),
      args: (port) => embeddedArgs(config, model, port),
      env: { MOTLEY_EMBEDDED_KEY: key },
      restartMs: backOffMs,
      log,
      onLine({ ready, loadMs }) {
        if (ready !== true) return
        loaded = true
        noteLoaded('loaded')
        log(`${model} is loaded (${Number(loadMs) / 1000} s)`)
      },
    })
    const first = await Promise.race([
      loading,
      child.gaveUp.then((why) => ({ why })),
      setTimeout(loadWaitMs, 'loading' as const, { ref: false }),
    ])
    if (typeof first === 'object') throw new CommandFailure('wrong', asClause(first.why))
    const endpoint = endpointConfig.parse({
      name: embeddedEndpointName,
      url: child.url,
      engine: 'motley-embedded',
      models: [model],
      apiKey: key,
    })
    return { child, endpoint, model, isLoaded: () => loaded }
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
