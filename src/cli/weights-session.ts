/** What commands about weights share: a session that Ctrl-C ends, and finding the files that are meant. */
import { CommandFailure } from '#cli/command-failure.ts'
import { dataDirectoryFailure, weightsDirectory } from '#cli/data-directory.ts'
import { hubSettings } from '#cli/hub-settings.ts'
import { findModel, findModelOrFail } from '#cli/model-names.ts'
import { onStopSignals, stoppedExitCode } from '#cli/stop-signals.ts'
import { systemClock } from '#std/clock.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { type InspectedFile, resolvedFiles, storedFiles } from '#weights/inspect.ts'
import { parseReference, referenceText } from '#weights/reference.ts'
import type { SourceContext } from '#weights/source.ts'
import { resolveWeights } from '#weights/sources/index.ts'
import { openStore } from '#weights/store.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** A model that is here needs no network; what it is called comes before what it may refer to. */
export async function findFiles(
  text: string,
  context: SourceContext,
): Promise<{ reference: string; files: readonly InspectedFile[] }> {
  const store = openStore(weightsDirectory())
  const models = await store.models()
  const named = findModel(models, text)
  if (named !== null) return { reference: named.reference, files: storedFiles(named, store) }
  const isReference = /^(hf:|https?:|file:|node:|\.{0,2}\/|~\/|[A-Za-z]:[\\/])|\.gguf$/i.test(text)
  if (!isReference && !/^[\w.-]+\/[\w.-]+$/.test(text)) findModelOrFail(models, text)
  const isBareFile = /\.gguf$/i.test(text) && !/^\w+:|^[.~/]/.test(text)
  const reference = parseReference(isBareFile ? `./${text}` : text)
  const { files } = await resolveWeights(reference, context)
  return { reference: referenceText(reference), files: resolvedFiles(files, context) }
}

/** Ends what is under way on Ctrl-C, and turns what goes wrong into the exit codes of commands. */
export async function withWeights(run: (context: SourceContext) => Promise<void>): Promise<void> {
  const abort = new AbortController()
  const signalsFree = onStopSignals(() => abort.abort(new Error('stopped')))
  const http = openHttpClient({ env: process.env })
  try {
    await run({
      http,
      clock: systemClock,
      chance: Math.random,
      signal: abort.signal,
      onWait: () => {},
      nodeHeaders: {},
      ...hubSettings(process.env),
    })
  } catch (error) {
    if (abort.signal.aborted) {
      process.exitCode = stoppedExitCode
      return
    }
    if (!(error instanceof WeightsError)) throw error
    throw (
      dataDirectoryFailure(error.cause) ??
      new CommandFailure(failureKinds[error.code], error.message, { cause: error })
    )
  } finally {
    signalsFree()
    await http.close()
  }
}

const failureKinds = {
  wrong_reference: 'wrong',
  not_found: 'no',
  not_allowed: 'unreachable',
  unreachable: 'unreachable',
  wrong_content: 'unreachable',
  bad_file: 'no',
  no_header: 'no',
  disk_full: 'no',
  disk_failed: 'unreachable',
  in_use: 'no',
} as const satisfies Record<WeightsError['code'], ConstructorParameters<typeof CommandFailure>[0]>
