/** The little that must be known about a GGUF file before llama.cpp is asked to load it. */
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'

/** The model file cannot be used. The message is one sentence for the person who named it. */
export class ModelFileError extends Error {}

/** Magic, version, number of tensors, number of keys. */
const headerBytes = 24
const knownVersions = [2, 3]
/** The least a header spends on a tensor (name length, dimensions, type, offset) and on a key. */
const tensorBytesMin = 24
const keyBytesMin = 13

/** Rejects with {@link ModelFileError} unless the file exists and begins like a GGUF file. */
export async function checkGgufFile(path: string): Promise<void> {
  const info = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`
    throw new ModelFileError(`The model file ${path} ${why}; name a GGUF file that does.`, {
      cause,
    })
  })
  if (!info.isFile()) {
    throw new ModelFileError(`${path} is not a file; name the GGUF file itself.`)
  }
  if (info.size === 0) {
    throw new ModelFileError(`The model file ${path} is empty; download it again.`)
  }
  const header = await readStart(path, headerBytes)
  const magic = header.subarray(0, 4).toString('latin1')
  if (magic === 'FUGG') {
    throw new ModelFileError(
      `The model file ${path} is a big-endian GGUF file; this machine needs a little-endian one.`,
    )
  }
  if (magic !== 'GGUF') {
    throw new ModelFileError(
      `The model file ${path} is not a GGUF file: it begins with ${JSON.stringify(magic)} and not with "GGUF"; convert the model or download its GGUF version.`,
    )
  }
  if (header.length < headerBytes) {
    throw new ModelFileError(
      `The model file ${path} is cut off after ${header.length} bytes; download it again.`,
    )
  }
  const version = header.readUInt32LE(4)
  if (!knownVersions.includes(version)) {
    throw new ModelFileError(
      `The model file ${path} has GGUF version ${version}; versions ${knownVersions.join(' and ')} can be loaded.`,
    )
  }
  // A damaged count would make a reader allocate until the process dies.
  const tensors = Number(header.readBigUInt64LE(8))
  const keys = Number(header.readBigUInt64LE(16))
  if (tensors * tensorBytesMin + keys * keyBytesMin > info.size) {
    throw new ModelFileError(
      `The model file ${path} is damaged: it promises ${tensors} tensors and ${keys} keys, more than ${info.size} bytes can hold; download it again.`,
    )
  }
}

/** The file name without `.gguf` and without the number of a part: what clients call the model. */
export function modelNameOfFile(path: string): string {
  return basename(path)
    .replace(/\.gguf$/i, '')
    .replace(/-\d{5}-of-\d{5}$/, '')
}

async function readStart(path: string, length: number): Promise<Buffer> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ModelFileError(
      `The model file ${path} cannot be opened (${cause.code}); check its permissions.`,
      { cause },
    )
  })
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
