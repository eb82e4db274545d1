import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { readReference } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { weightsDirectory } from '#cli/data-directory.ts'
import { findModel, findModelOrFail } from '#cli/model-names.ts'
import { factsText, modelListText } from '#cli/model-text.ts'
import { PullProgress } from '#cli/pull-progress.ts'
import { bytesText } from '#cli/quantity.ts'
import { stoppedExitCode } from '#cli/stop-signals.ts'
import { logLine, printJson } from '#cli/terminal.ts'
import { findFiles, withWeights } from '#cli/weights-session.ts'
import { widthOf } from '#cli/width.ts'
import { systemClock } from '#std/clock.ts'
import { weightsCaches } from '#weights/caches/index.ts'
import { inspectFiles, storedFiles } from '#weights/inspect.ts'
import { pullWeights } from '#weights/pull.ts'
import { referenceText } from '#weights/reference.ts'
import { modelBytes, openStore } from '#weights/store.ts'
import { WeightsError } from '#weights/weights-error.ts'

const referenceHelp = `
A reference is one of
  hf:owner/repo[@revision][:quantization]   hf:owner/repo[@revision]/file
  https://host/file.gguf[#sha256=…]         file:/path or ./path
  node:host:port/<reference>                another node of the fleet
HF_ENDPOINT names another hub (default https://huggingface.co), HF_TOKEN a token
for private and gated repositories, MOTLEY_DATA_DIR where weights are kept.`

export function addModelCommand(program: Command): void {
  const model = program
    .command('model')
    .description('Bring weights to this machine, and see what is in them.')
    .addHelpText(
      'after',
      '\nThese are files on this machine. "motley models" lists what a gateway serves.',
    )
  model
    .command('pull')
    .description('Download weights, or take them from a cache of this machine.')
    .argument('<reference>', 'which weights, as hf:Qwen/Qwen3-8B-GGUF:Q4_K_M')
    .option(
      '--node <url>',
      'a node of the fleet to ask first; may be repeated',
      (url: string, all: string[]) => [...all, nodeUrl(url)],
      [],
    )
    .option('--json', 'print what is there afterwards as JSON')
    .addHelpText('after', `${referenceHelp}\nA pull that was interrupted goes on where it stopped.`)
    .action(pull)
  model
    .command('inspect')
    .description('Say what weights are, from their headers: also before a download.')
    .argument('<reference>', 'weights, a file, or a model that is here')
    .option('--template', 'print the chat template alone')
    .option('--json', 'print JSON')
    .addHelpText('after', referenceHelp)
    .action(inspect)
  model
    .command('ls')
    .description('List the models on this machine.')
    .option('--json', 'print JSON')
    .action(list)
  model
    .command('rm')
    .description('Delete a model from this machine, unless something runs it.')
    .argument('<model>', 'as "motley model ls" shows it')
    .option('--json', 'print JSON')
    .action(remove)
}

async function pull(
  text: string,
  { node, json }: { node: readonly string[]; json?: boolean },
): Promise<void> {
  await withWeights(async (context) => {
    const reference = readReference(text)
    const progress = new PullProgress({
      isTerminal: process.stderr.isTTY === true,
      columns: process.stderr.columns || 80,
      write: (line) => process.stderr.write(line),
      nowMs: () => systemClock.nowMs(),
    })
    try {
      const result = await pullWeights(reference, {
        ...context,
        store: openStore(weightsDirectory()),
        caches: weightsCaches({ env: process.env, home: homedir() }),
        nodes: node,
        onEvent: (event) => progress.show(event),
      })
      progress.end()
      const { model, folder, transferredBytes, adoptedBytes } = result
      if (json) printJson({ ...model, folder, transferredBytes, adoptedBytes })
      else {
        const adopted = adoptedBytes === 0 ? '' : `, ${bytesText(adoptedBytes)} adopted`
        console.log(
          `${model.reference} is here: ${bytesText(modelBytes(model))}, ${bytesText(transferredBytes)} downloaded${adopted}`,
        )
        const [only, ...others] = model.files
        console.log(only !== undefined && others.length === 0 ? join(folder, only.path) : folder)
      }
    } catch (error) {
      progress.end()
      if (!context.signal.aborted) throw error
      logLine(
        `motley: stopped; what has come is kept, and "motley model pull ${referenceText(reference)}" goes on from there`,
      )
      process.exitCode = stoppedExitCode
    }
  })
}

async function inspect(
  text: string,
  { template, json }: { template?: boolean; json?: boolean },
): Promise<void> {
  await withWeights(async (context) => {
    const { reference, files } = await findFiles(text, context)
    const facts = await inspectFiles(files)
    if (template) {
      if (facts.chatTemplate === null) {
        throw new CommandFailure('no', `${reference} has no chat template: it does not chat`)
      }
      console.log(facts.chatTemplate)
    } else if (json) {
      const listed = files.map(({ path, sizeBytes }) => ({ path, sizeBytes }))
      printJson({ reference, ...facts, files: listed })
    } else console.log(factsText(facts, files))
  })
}

async function list({ json }: { json?: boolean }): Promise<void> {
  await withWeights(async () => {
    const store = openStore(weightsDirectory())
    const models = await Promise.all(
      (await store.models()).map(async (model) => {
        const known = {
          ...model,
          folder: store.modelFolder(model.reference),
          sizeBytes: modelBytes(model),
        }
        try {
          return { ...known, facts: await inspectFiles(storedFiles(model, store)), problem: null }
        } catch (error) {
          if (!(error instanceof WeightsError)) throw error
          const problem = error.code === 'no_header' ? null : error.message
          return { ...known, facts: null, problem }
        }
      }),
    )
    const unfinished = (await store.unfinished()).map(
      ({ reference, path, sizeBytes, finished }) => ({
        reference,
        path,
        sizeBytes,
        doneBytes: finished.reduce((total, { begin, end }) => total + end - begin, 0),
      }),
    )
    if (json) printJson({ models, unfinished })
    else console.log(modelListText(models, unfinished, widthOf(process.stdout)))
  })
}

async function remove(name: string, { json }: { json?: boolean }): Promise<void> {
  await withWeights(async () => {
    const store = openStore(weightsDirectory())
    const models = await store.models()
    const unfinished = (await store.unfinished()).some(({ reference }) => reference === name)
    const model = unfinished ? findModel(models, name) : findModelOrFail(models, name)
    const reference = model?.reference ?? name
    const freedBytes =
      (model === null ? 0 : await store.removeModel(model)) +
      (await store.removeUnfinished(reference))
    if (json) printJson({ reference, freedBytes })
    else {
      const gain =
        freedBytes === 0
          ? 'its content stays for others that have it'
          : `${bytesText(freedBytes)} are free again`
      console.log(`${reference} is deleted; ${gain}`)
    }
  })
}

function nodeUrl(text: string): string {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`
  if (URL.canParse(url)) return url.replace(/\/+$/, '')
  throw new CommandFailure('wrong', `--node: found "${text}", allowed: host:port or a URL`)
}
