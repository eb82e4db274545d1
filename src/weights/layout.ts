/**
 * Some engines find a model only where their own library would have put it: in a cache of Hugging
 * Face, or in a folder of a certain name. Said here as data; the store makes it of links.
 */
import type { WeightsFormat } from '#core/engine-build.ts'
import type { WeightsReference } from '#weights/reference.ts'

/** What there is to lay out. */
export interface WholeModel {
  readonly reference: string
  /** The commit, where its source has such. */
  readonly version: string | null
  readonly files: readonly { readonly path: string }[]
}

export interface Layout {
  /** Places below the folder of the layout, and the file of the model that each is. */
  readonly links: readonly { readonly path: string; readonly of: string }[]
  /** Small files that no source has. */
  readonly texts: readonly { readonly path: string; readonly text: string }[]
  /** Below the folder, what an engine is given; empty for the folder itself. */
  readonly given: string
}

/** Null for formats that engines read wherever they lie. */
export function layoutOf(
  format: WeightsFormat,
  reference: WeightsReference,
  model: WholeModel,
): Layout | null {
  if (format === 'ctranslate2') return hubLayout(reference, model)
  if (format === 'kokoro') return kokoroLayout(model)
  if (format === 'xtts') return xttsLayout(model)
  return null
}

/**
 * As huggingface_hub keeps a repository. faster-whisper asks it for the branch `main`, and speaches
 * offers what has a card that calls it a model for transcription by CTranslate2.
 */
function hubLayout(reference: WeightsReference, { version, files, ...model }: WholeModel): Layout {
  const repository = `models--${repositoryName(reference)}`
  const isCommit = version !== null && /^[0-9a-f]{40}$/.test(version)
  const commit = isCommit ? version : '0'.repeat(40)
  const snapshot = `${repository}/snapshots/${commit}`
  const cardPath = `${snapshot}/README.md`
  const prefix = commonFolder(files.map(({ path }) => path))
  return {
    links: files
      .map(({ path }) => ({ path: `${snapshot}/${path.slice(prefix.length)}`, of: path }))
      .filter(({ path }) => path !== cardPath),
    texts: [
      { path: `${repository}/refs/main`, text: commit },
      { path: cardPath, text: card(model.reference) },
    ],
    given: snapshot,
  }
}

const card = (reference: string): string =>
  [
    '---',
    'library_name: ctranslate2',
    'pipeline_tag: automatic-speech-recognition',
    '---',
    '',
    `Laid out by Motley from ${reference}.`,
    '',
  ].join('\n')

/** `Systran--faster-whisper-small`; what is of no hub has the owner `local`. */
function repositoryName(reference: WeightsReference): string {
  if (reference.kind === 'hf') return `${reference.owner}--${reference.repo}`
  const name = reference.kind === 'file' ? reference.path : lastName(reference)
  const last = name.split(/[\\/]/).findLast((part) => part !== '') ?? ''
  const word = last.replace(/[^A-Za-z0-9_.]+/g, '-').replace(/^[-.]+|[-.]+$/g, '')
  return `local--${word === '' ? 'model' : word}`
}

function lastName(reference: Exclude<WeightsReference, { kind: 'hf' | 'file' }>): string {
  return reference.kind === 'http' ? reference.url : reference.wanted
}

/** Kokoro-FastAPI asks for `<version>/kokoro-<version>.pth`, and `config.json` beside it. */
function kokoroLayout({ files }: WholeModel): Layout {
  const weights = files.find(({ path }) => /(^|\/)kokoro[^/]*\.pth$/.test(path))
  const prefix = commonFolder(files.map(({ path }) => path))
  const version = /kokoro-(v[\w-]+)\.pth$/.exec(weights?.path ?? '')?.[1] ?? 'v1_0'
  return {
    links: files.map(({ path }) => ({ path: `${version}/${path.slice(prefix.length)}`, of: path })),
    texts: [],
    given: '',
  }
}

/** Where Coqui's library keeps the model that it calls `xtts`, below TTS_HOME. */
const xttsFolder = 'tts/tts_models--multilingual--multi-dataset--xtts'

/** Voices are recordings beside the models: those that came with the model, under their names. */
function xttsLayout({ files }: WholeModel): Layout {
  const prefix = commonFolder(files.map(({ path }) => path))
  const samples = files.filter(({ path }) => path.endsWith('.wav'))
  const named = samples.map(({ path }) => ({ path: lastPart(path), of: path }))
  const first = samples.find(({ path }) => /(^|\/)en[_-]/.test(path)) ?? samples[0]
  const usual = first === undefined ? [] : usualVoices.map((path) => ({ path, of: first.path }))
  const known = new Set(named.map(({ path }) => path))
  return {
    links: [
      ...files
        .filter((file) => !samples.includes(file))
        .map(({ path }) => ({ path: `${xttsFolder}/${path.slice(prefix.length)}`, of: path })),
      ...named,
      ...usual.filter(({ path }) => !known.has(path)),
    ],
    texts: [],
    given: '',
  }
}

/** What OpenAI's clients ask for when nobody says otherwise. */
const usualVoices = ['alloy.wav']

/** `v2/` of `v2/model.pth` and `v2/config.json`; empty where files lie at the top. */
function commonFolder(paths: readonly string[]): string {
  const [first = ''] = paths
  const steps = first.split('/').slice(0, -1)
  while (steps.length > 0) {
    const folder = `${steps.join('/')}/`
    if (paths.every((path) => path.startsWith(folder))) return folder
    steps.pop()
  }
  return ''
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
