/** A file or folder of this machine: taken into the store as it lies there. */
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ResolvedFile, WeightsSource } from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

const weightsFile = /\.(gguf|safetensors)$/i
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
  const names = (await readdir(folder)).sort()
  if (!names.some((name) => weightsFile.test(name))) {
    throw new WeightsError('not_found', `${folder} has no GGUF and no safetensors files`)
  }
  return names.filter((name) => weightsFile.test(name) || companion.test(name))
}

/** The other parts of a split file lie beside it. */
async function partsOf(path: string): Promise<readonly string[]> {
  const name = basename(path)
  if (!split.test(name)) return [name]
  const whole = name.replace(split, '')
  const names = await readdir(dirname(path))
  return names.filter((each) => split.test(each) && each.replace(split, '') === whole).sort()
}
