/** A file or folder of this machine: taken into the store as it lies there. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readableFormats } from '#weights/formats/weights-format.ts'
import type { ResolvedFile, WeightsSource } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

const weightsFile = /\.(gguf|safetensors)$/i
/** Formats of some engines alone; which one it is, if any, the first bytes tell. */
const otherWeightsFile = /\.(bin|xml|pth|pt)$/i
const companion = /\.(json|jinja|model|txt|tiktoken)$/i
const split = /-\d{5}-of-\d{5}(?=\.\w+$)/

export const file: WeightsSource<'file'> = {
  kind: 'file',

  async resolve({ path }) {
    const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'ENOENT' ? 'is not there' : `cannot be read (${cause.code})`
      throw new WeightsError('not_found', `${path} ${why}`, { cause })
    })
    const folder = info.isDirectory() ? path : dirname(path)
    const names = info.isDirectory() ? await modelFiles(path) : await partsOf(path)
    const files = names.map(async (name): Promise<ResolvedFile> => {
      const full = join(folder, name)
      const { size } = await stat(full)
      return {
        path: name,
        sizeBytes: size,
        digest: null,
        locations: [{ kind: 'local', path: full }],
      }
    })
    return { version: null, files: await Promise.all(files) }
  },
}

async function modelFiles(folder: string): Promise<readonly string[]> {
  const names = await filesBelow(folder)
  const isWeights = [weightsFile, otherWeightsFile].find((pattern) =>
    names.some((name) => pattern.test(name) && !name.includes('/')),
  )
  if (isWeights === undefined) {
    throw new WeightsError(
      'not_found',
      `${folder} has no model that an engine reads: those are ${readableFormats}`,
    )
  }
  return names.filter((name) => isWeights.test(name) || companion.test(name))
}

/** Voices of a model for speech lie a folder deeper. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
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
  const names = await readdir(dirname(path))
  return names.filter((each) => split.test(each) && each.replace(split, '') === whole).sort()
}
