/**
 * The embedded engine as a process of its own. It prints JSON lines on stdout and nothing else:
 * one when it listens, one when the model is ready, or one with `error` before it exits: with 2
 * where the same start would fail again, because an option or the model file is wrong, else with 1.
 * Warnings go to stderr. It ends with the process that forked it.
 */
import { parseArgs } from 'node:util'
import { ModelFileError } from '#embedded/gguf-file.ts'
import { type EmbeddedKvCacheType, embeddedKvCacheTypes } from '#embedded/loaded-model.ts'
import { startEmbeddedServer } from '#embedded/server.ts'

/** An option is missing or not what it takes. */
class OptionError extends Error {}

/** A model that cannot be freed in time does not keep a process that was told to stop. */
const closeMsMax = 1500

function readOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string' },
      name: { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string' },
      slots: { type: 'string' },
      context: { type: 'string' },
      threads: { type: 'string' },
      'engine-directory': { type: 'string' },
      'cpu-only': { type: 'boolean' },
      'gpu-layers': { type: 'string' },
      'kv-cache-type': { type: 'string' },
      'watch-stdin': { type: 'boolean' },
    },
  })
  if (values.model === undefined) throw new OptionError('--model FILE is missing.')
  return {
    watchStdin: values['watch-stdin'] ?? false,
    server: {
      modelPath: values.model,
      modelName: values.name,
      host: values.host,
      port: wholeNumber('port', values.port, 0, 65_535),
      slots: wholeNumber('slots', values.slots, 1, 256),
      contextTokens: wholeNumber('context', values.context, 64, 2 ** 31),
      threads: wholeNumber('threads', values.threads, 1, 1024),
      engineDirectory: values['engine-directory'],
      variant: values['cpu-only'] === true ? (false as const) : ('auto' as const),
      gpuLayers: wholeNumber('gpu-layers', values['gpu-layers'], 0, 10_000),
      kvCacheType: kvCacheTypeOf(values['kv-cache-type']),
      apiKey: process.env['MOTLEY_EMBEDDED_KEY'], // not an argument: those show in process lists
    },
  }
}

function kvCacheTypeOf(text: string | undefined): EmbeddedKvCacheType | undefined {
  if (text === undefined) return undefined
  const type = embeddedKvCacheTypes.find((one) => one === text)
  if (type !== undefined) return type
  const known = embeddedKvCacheTypes.join(', ')
  throw new OptionError(`--kv-cache-type is ${text}; it must be one of ${known}.`)
}

function wholeNumber(
  name: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw new OptionError(`--${name} is ${text}; it must be a whole number from ${min} to ${max}.`)
}

/** Writes one line and waits until it has left: an exit right after must not lose it. */
function printLine(fields: Readonly<Record<string, unknown>>): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(`${JSON.stringify(fields)}\n`, () => resolve())
  })
}

async function run(): Promise<void> {
  process.stdout.on('error', () => process.exit(1)) // the reader has gone
  const startedMs = performance.now()
  const { server: options, watchStdin } = readOptions(process.argv.slice(2))
  const server = await startEmbeddedServer({
    ...options,
    warn: (message) => process.stderr.write(`${message}\n`),
  })

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(0), closeMsMax)
    server.close().then(
      () => process.exit(0),
      () => process.exit(0),
    )
  }
  // Listeners that stay: a library inside node-llama-cpp ends the process itself when it finds none.
  process.on('SIGTERM', stop)
  const hasParent = process.send !== undefined || watchStdin
  // The terminal sends these to every process in it. The parent knows what still runs, and ends us.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, hasParent ? () => {} : stop)
  process.once('disconnect', stop) // the IPC channel of a parent that has died
  if (process.send !== undefined && !process.connected) stop()
  if (watchStdin) {
    process.stdin.once('end', stop)
    process.stdin.once('error', stop)
    process.stdin.resume()
  }

  await printLine({ url: server.url, pid: process.pid })
  const { modelName, contextTokens, loaded } = await server.ready
  const loadMs = Math.round(performance.now() - startedMs)
  // So that whoever wanted a GPU hears that it has none, or only a part of the model.
  const { gpuLayers, layers } = loaded
  await printLine({ ready: true, model: modelName, contextTokens, gpuLayers, layers, loadMs })
}

run().catch(async (error: unknown) => {
  await printLine({ error: error instanceof Error ? error.message : String(error) })
  process.exit(error instanceof OptionError || error instanceof ModelFileError ? 2 : 1)
})
