/**
 * Which files make a model that is neither GGUF nor safetensors: those of speech engines, of
 * OpenVINO and of CTranslate2. Pure: names go in, a choice or what is ambiguous about it comes out.
 */

export type OtherChoice<File> =
  | { readonly kind: 'files'; readonly files: readonly File[] }
  /** Each of them would be a model of its own: somebody has to say which. */
  | { readonly kind: 'several'; readonly paths: readonly string[] }
  | { readonly kind: 'none' }

interface NamedFile {
  readonly path: string
}

/** Weights of a format, and what its engines read beside them. */
interface OtherFormat {
  /** Whether a file is weights that are a model by themselves. */
  isModel(path: string, paths: ReadonlySet<string>): boolean
  readonly beside: RegExp
  /** Whether all models of a folder belong together, as the parts of OpenVINO do. */
  readonly isOneOfMany: boolean
}

/** Configuration and vocabularies. No code and no other pickles: loading those runs programs. */
const configuration =
  /(?:^|\/)(?:[^/]*\.json|tokenizer\.model|[^/]*\.jinja|vocab(?:ulary)?\.txt|merges\.txt|[^/]*\.tiktoken)$/

const vocabulary = /^(?:shared_)?vocabulary\.(?:txt|json)$/

/** The likeliest first: a folder is what the first says that finds anything. */
const formats: readonly OtherFormat[] = [
  // OpenVINO: an XML with its numbers beside it, often with a tokenizer made in the same way.
  {
    isModel(path, paths) {
      const stem = path.replace(/\.(xml|bin)$/, '')
      return stem !== path && paths.has(`${stem}.xml`) && paths.has(`${stem}.bin`)
    },
    beside: configuration,
    isOneOfMany: true,
  },
  // CTranslate2.
  {
    isModel: (path, paths) =>
      path === 'model.bin' && [...paths].some((each) => vocabulary.test(each)),
    beside: configuration,
    isOneOfMany: false,
  },
  // whisper.cpp: all there is to a model is in one file.
  { isModel: (path) => /^ggml-[^/]+\.bin$/.test(path), beside: /^$/, isOneOfMany: false },
  // Kokoro, with its voices.
  {
    isModel: (path, paths) => /^kokoro[^/]*\.pth$/.test(path) && paths.has('config.json'),
    beside: /^(?:config\.json|voices\/[^/]+\.pt)$/,
    isOneOfMany: false,
  },
  // XTTS, with its speakers and the recordings that it can speak as.
  {
    isModel: (path, paths) =>
      path === 'model.pth' && paths.has('config.json') && paths.has('vocab.json'),
    beside: /^(?:config\.json|vocab\.json|hash\.md5|speakers[^/]*\.pth|samples\/[^/]+\.wav)$/,
    isOneOfMany: false,
  },
]

/** Paths are relative to the folder of the model. */
export function chooseOtherFormat<File extends NamedFile>(
  files: readonly File[],
): OtherChoice<File> {
  const paths = new Set(files.map(({ path }) => path))
  for (const { isModel, beside, isOneOfMany } of formats) {
    const models = files.filter(({ path }) => isModel(path, paths))
    if (models.length === 0) continue
    if (models.length > 1 && !isOneOfMany) {
      return { kind: 'several', paths: models.map(({ path }) => path) }
    }
    const chosen = files.filter((file) => models.includes(file) || beside.test(file.path))
    return { kind: 'files', files: chosen }
  }
  return { kind: 'none' }
}

/** Of whisper.cpp there are thirty, and nobody reads thirty paths. */
const pathsShown = 12

export function shortList(paths: readonly string[]): string {
  const more = paths.length - pathsShown
  return paths.slice(0, pathsShown).join(', ') + (more <= 0 ? '' : ` and ${more} more`)
}
