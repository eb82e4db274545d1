/** A file or folder of this machine: taken into the store as it lies there. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readableFormats } from '#weights/formats/weights-format.ts'
import type { ResolvedFile, WeightsSource } from '#weights/source.ts'
import { chooseOtherFormat, shortList } from '#weights/sources/other-formats.ts'
import { WeightsError } from '#weights/weights-error.ts'

const weightsFile = /\.(gguf|safetensors)$/i
const nameless = /\.(bin|pth|pt)$/i
/** Encoders of images, and statistics of a quantizer. */
const besideModel = /^mmproj|imatrix/i
const companion = /\.(json|jinja|model|txt|tiktoken)$/i
const split = /-\d{5}-of-\d{5}(?=\.\w+$)/

export const file: WeightsSource<'file'> = {
  kind: 'file',

  async resolve({ path }) {
    const info = await asked(path, () => stat(path))
    const folder = info.isDirectory() ? path : dirname(path)
    const names = info.isDirectory() ? await modelFiles(path) : await partsOf(path)
    const files = names.map(async (name): Promise<ResolvedFile> => {
      const full = join(folder, name)
      const found = await asked(full, () => stat(full))
      if (!found.isFile()) throw new WeightsError('bad_file', `${full} is not a file`)
      return {
        path: name,
        sizeBytes: found.size,
        digest: null,
        locations: [{ kind: 'local', path: full }],
      }
    })
    return { version: null, files: await Promise.all(files) }
  },
}

/** The link of a cache may lead to what has been deleted, and a folder may be somebody else's. */
async function asked<Answer>(path: string, ask: () => Promise<Answer>): Promise<Answer> {
  return await ask().catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'is not there' : `cannot be read (${cause.code})`
    throw new WeightsError('not_found', `${path} ${why}`, { cause })
  })
}

async function modelFiles(folder: string): Promise<readonly string[]> {
  const names = await filesBelow(folder)
  const outer = names.filter((name) => !name.includes('/'))
  if (outer.some((name) => weightsFile.test(name))) {
    const ggufs = outer.filter((name) => /\.gguf$/i.test(name) && !besideModel.test(name))
    const wholes = [...new Set(ggufs.map((name) => name.replace(split, '')))]
    if (wholes.length > 1) throw severalModels(folder, ggufs)
    return names.filter((name) => weightsFile.test(name) || companion.test(name))
  }
  const choice = chooseOtherFormat(names.map((path) => ({ path })))
  if (choice.kind === 'several') throw severalModels(folder, choice.paths)
  if (choice.kind === 'files') return choice.files.map(({ path }) => path)
  // Of a name that says nothing: its first bytes tell.
  const [only, ...more] = outer.filter((name) => nameless.test(name))
  if (only !== undefined && more.length === 0) {
    return names.filter((name) => name === only || companion.test(name))
  }
  throw new WeightsError(
    'not_found',
    `${folder} has no model that an engine reads: those are ${readableFormats}`,
  )
}

function severalModels(folder: string, names: readonly string[]): WeightsError {
  const [first = ''] = names
  return new WeightsError(
    'not_found',
    `${folder} has ${names.length} models; name one, as file:${join(folder, first)}: ${shortList(names)}`,
  )
}

/** Voices of a model for speech lie a folder deeper. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await asked(folder, () => readdir(folder, { withFileTypes: true }))
  const inner = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(async ({ name }) => {
      const names = await readdir(join(folder, name)).catch(() => [])
      return names.map((each) => `${name}/${each}`)
    })
  const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  return [...names, ...(await Promise.all(inner)).flat()].sort()
}

/** The other parts of a split file lie beside it. */
async function partsOf(path: string): Promise<readonly string[]> {
  const name = basename(path)
  if (!split.test(name)) return [name]
  const whole = name.replace(split, '')
  const names = await asked(dirname(path), () => readdir(dirname(path)))
  return names.filter((each) => split.test(each) && each.replace(split, '') === whole).sort()
}
