/**
 * The header of a GGUF file: metadata keys, and one line for each tensor. Nothing of the tensors
 * themselves is read, so the header of a file on a hub costs a few megabytes.
 *
 * The layout is that of ggml's `docs/gguf.md`, versions 2 and 3, little endian.
 */
import type { ByteSource } from '#weights/byte-source.ts'
import { ggmlTypes } from '#weights/formats/ggml-types.ts'
import { HeaderCursor } from '#weights/formats/header-cursor.ts'
import { TensorTally } from '#weights/formats/tensor-tally.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** An array too long to be of interest, such as the vocabulary, is known by its length alone. */
export interface SkippedArray {
  readonly length: number
}
export type GgufValue = number | boolean | string | readonly (number | boolean)[] | SkippedArray

export interface GgufHeader {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tally: TensorTally
  /** Rows of `token_embd.weight`: the vocabulary, where no list of tokens tells it. */
  readonly embeddingRows: number | null
  /** Where the tensors begin. */
  readonly dataOffsetBytes: number
}

const magic = 0x46554747 // "GGUF"
const bigEndianMagic = 0x47475546
const knownVersions = [2, 3]

/** Far more than any model has; a damaged count ends here and not with the memory. */
const keysMax = 65_536
const tensorsMax = 1_000_000
/** The least a header spends on a key (its length, type, one byte), and on a tensor. */
const keyBytesMin = 13
const tensorBytesMin = 24
const keyTextBytesMax = 65_535
const tensorNameBytesMax = 1024
const dimensionsMax = 4
/** Per-layer arrays are kept, vocabularies are not. */
const keptArrayLengthMax = 4096
/** All kept values together; a header that wants more keeps its later ones to itself. */
const keptBytesMax = 16 * 1024 * 1024
/** Arrays in arrays: the format allows them, no model has them. */
const nestingMax = 4

const valueBytes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}
const stringType = 8
const arrayType = 9

/** Rejects with {@link WeightsError} where the file is no GGUF file, damaged or cut off. */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const cursor = new HeaderCursor(source)
  const { version, tensorCount, keyCount } = await readStart(cursor, source)
  const metadata = await readMetadata(cursor, keyCount)
  const tensors = await readTensors(cursor, tensorCount)

  const alignment = numberOf(metadata.get('general.alignment')) ?? 32
  if (alignment < 1 || alignment > 65_536) {
    throw cursor.damaged(`general.alignment is ${alignment}`)
  }
  const dataOffsetBytes = Math.ceil(cursor.offset / alignment) * alignment
  const endBytes = dataOffsetBytes + tensors.dataBytes
  if (tensors.dataBytes > 0 && endBytes > source.sizeBytes) {
    throw new WeightsError(
      'bad_file',
      `${source.name} is cut off: its tensors end at byte ${endBytes}, and it has ${source.sizeBytes} bytes; download it again`,
    )
  }
  return {
    version,
    metadata,
    tally: tensors.tally,
    embeddingRows: tensors.embeddingRows,
    dataOffsetBytes,
  }
}

async function readStart(
  cursor: HeaderCursor,
  source: ByteSource,
): Promise<{ version: number; tensorCount: number; keyCount: number }> {
  if (source.sizeBytes === 0) throw new WeightsError('bad_file', `${source.name} is empty`)
  if (source.sizeBytes < 24) throw cursor.cut('the header', 24)
  const found = await cursor.readUint32()
  if (found !== magic) {
    const start = Buffer.alloc(4)
    start.writeUInt32LE(found)
    const why =
      found === bigEndianMagic
        ? 'it is big-endian'
        : `it begins with ${JSON.stringify(start.toString('latin1'))} and not with "GGUF"`
    throw new WeightsError('bad_file', `${source.name} is not a GGUF file: ${why}`)
  }
  const version = await cursor.readUint32()
  if ((version & 0xffff) === 0) {
    throw new WeightsError(
      'bad_file',
      `${source.name} is a big-endian GGUF file; engines want a little-endian one`,
    )
  }
  if (!knownVersions.includes(version)) {
    throw new WeightsError(
      'bad_file',
      `${source.name} has GGUF version ${version}; versions ${knownVersions.join(' and ')} can be read`,
    )
  }
  const tensorCount = await cursor.readUint64()
  const keyCount = await cursor.readUint64()
  const bytesMin = keyCount * keyBytesMin + tensorCount * tensorBytesMin
  if (keyCount > keysMax || tensorCount > tensorsMax || bytesMin > cursor.remainingBytes) {
    throw cursor.cut(`a header of ${keyCount} keys and ${tensorCount} tensors`, bytesMin)
  }
  return { version, tensorCount, keyCount }
}

async function readMetadata(
  cursor: HeaderCursor,
  keyCount: number,
): Promise<ReadonlyMap<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>()
  let keptBytes = 0
  for (let index = 0; index < keyCount; index++) {
    const keyBytes = await cursor.readUint64()
    if (keyBytes > keyTextBytesMax) throw cursor.damaged(`key ${index} has ${keyBytes} letters`)
    const key = (await cursor.readText(keyBytes, 'a key')) ?? ''
    if (metadata.has(key)) throw cursor.damaged(`key ${key} is there twice`)
    const before = cursor.offset
    const value = await readValue(cursor, await cursor.readUint32(), key)
    keptBytes += typeof value === 'object' && !Array.isArray(value) ? 0 : cursor.offset - before
    if (value !== null && keptBytes <= keptBytesMax) metadata.set(key, value)
  }
  return metadata
}

/** Null for a text that is too long to be kept. */
async function readValue(
  cursor: HeaderCursor,
  type: number,
  key: string,
): Promise<GgufValue | null> {
  if (type === stringType) return cursor.readText(await cursor.readUint64(), key)
  if (type === arrayType) return readArray(cursor, key, 0)
  const bytes = valueBytes[type]
  if (bytes === undefined) throw cursor.damaged(`${key} has the unknown type ${type}`)
  await cursor.need(bytes)
  return scalar(cursor.bytes(bytes), type)
}

async function readArray(
  cursor: HeaderCursor,
  key: string,
  depth: number,
): Promise<readonly (number | boolean)[] | SkippedArray> {
  const type = await cursor.readUint32()
  const length = await cursor.readUint64()
  const bytes = valueBytes[type]
  if (bytes !== undefined) {
    if (length > keptArrayLengthMax) {
      cursor.skip(length * bytes, key)
      return { length }
    }
    await cursor.need(length * bytes)
    return Array.from({ length }, () => scalar(cursor.bytes(bytes), type))
  }
  if (type !== stringType && type !== arrayType) {
    throw cursor.damaged(`${key} is a list of the unknown type ${type}`)
  }
  // Each text has its length of 8 bytes, each list its type and length.
  if (length * 8 > cursor.remainingBytes) throw cursor.cut(`a list of ${length} in ${key}`)
  if (type === arrayType && depth >= nestingMax) throw cursor.damaged(`${key} nests too deeply`)
  for (let index = 0; index < length; index++) {
    if (type === arrayType) {
      await readArray(cursor, key, depth + 1)
      continue
    }
    // Vocabularies have 100,000 texts: only a used-up window is worth a wait.
    const wait = cursor.need(8)
    if (wait !== undefined) await wait
    cursor.skip(cursor.uint64(), key)
  }
  return { length }
}

function scalar(bytes: Buffer, type: number): number | boolean {
  switch (type) {
    case 0:
      return bytes.readUInt8()
    case 1:
      return bytes.readInt8()
    case 2:
      return bytes.readUInt16LE()
    case 3:
      return bytes.readInt16LE()
    case 4:
      return bytes.readUInt32LE()
    case 5:
      return bytes.readInt32LE()
    case 6:
      return bytes.readFloatLE()
    case 7:
      return bytes.readUInt8() !== 0
    case 10:
      return Number(bytes.readBigUInt64LE())
    case 11:
      return Number(bytes.readBigInt64LE())
    default:
      return bytes.readDoubleLE()
  }
}

interface Tensors {
  readonly tally: TensorTally
  /** From the start of the data to the end of the last tensor. */
  readonly dataBytes: number
  readonly embeddingRows: number | null
}

async function readTensors(cursor: HeaderCursor, tensorCount: number): Promise<Tensors> {
  const tally = new TensorTally()
  let dataBytes = 0
  let embeddingRows: number | null = null
  for (let index = 0; index < tensorCount; index++) {
    const nameBytes = await cursor.readUint64()
    if (nameBytes > tensorNameBytesMax) {
      throw cursor.damaged(`the name of tensor ${index} has ${nameBytes} letters`)
    }
    const name = (await cursor.readText(nameBytes, 'the name of a tensor')) ?? ''
    const dimensions = await cursor.readUint32()
    if (dimensions > dimensionsMax) {
      throw cursor.damaged(`tensor ${JSON.stringify(name)} has ${dimensions} dimensions`)
    }
    const shape: number[] = []
    for (let each = 0; each < dimensions; each++) shape.push(await cursor.readUint64())
    const typeId = await cursor.readUint32()
    const type = ggmlTypes.get(typeId)
    if (type === undefined) {
      throw new WeightsError(
        'bad_file',
        `tensor ${JSON.stringify(name)} has the type ${typeId}, which this version of Motley does not know`,
      )
    }
    const offset = await cursor.readUint64()
    const weightCount = shape.reduce((product, length) => product * length, 1)
    const bytes = (weightCount / type.blockWeights) * type.blockBytes
    if (!Number.isSafeInteger(weightCount) || !Number.isSafeInteger(offset + bytes)) {
      throw cursor.damaged(`tensor ${JSON.stringify(name)} has the shape ${shape.join(' x ')}`)
    }
    tally.add({ name, weightCount, bytes, type: type.name })
    dataBytes = Math.max(dataBytes, offset + bytes)
    if (name === 'token_embd.weight') embeddingRows = shape[1] ?? null
  }
  return { tally, dataBytes, embeddingRows }
}

export function numberOf(value: GgufValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
