/**
 * The header of a safetensors file: eight bytes of length, then JSON that names each tensor. The
 * tensors must follow one another without holes up to the end of the file.
 */
import { z } from 'zod'
import { parseJson } from '#std/parse-json.ts'
import type { ByteSource } from '#weights/byte-source.ts'
import { WeightsError } from '#weights/weights-error.ts'

/** The limit of the format's own reader (`MAX_HEADER_SIZE` of the safetensors crate). */
const headerBytesMax = 100_000_000

/** Bits, as the format names the types. */
const typeBits: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['U8', 8],
  ['I8', 8],
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U16', 16],
  ['I16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['U32', 32],
  ['I32', 32],
  ['F32', 32],
  ['U64', 64],
  ['I64', 64],
  ['F64', 64],
  ['C64', 64],
])

export interface SafetensorsTensor {
  readonly name: string
  readonly type: string
  readonly shape: readonly number[]
  readonly bytes: number
}

export interface SafetensorsHeader {
  readonly tensors: readonly SafetensorsTensor[]
}

const whole = z.int().nonnegative()
const tensorEntry = z.object({
  dtype: z.string(),
  shape: z.array(whole),
  data_offsets: z.tuple([whole, whole]),
})

/** Rejects with {@link WeightsError} where the file is damaged, cut off, or something else. */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const bad = (what: string) => new WeightsError('bad_file', `${source.name} ${what}`)
  if (source.sizeBytes === 0) throw bad('is empty')
  const lengthBytes = await source.read(0, 8)
  if (lengthBytes.length < 8) throw bad(`is cut off after ${lengthBytes.length} bytes`)
  const headerBytes = Number(lengthBytes.readBigUInt64LE())
  if (headerBytes > headerBytesMax || headerBytes < 2) {
    throw bad(`is not a safetensors file: its header would have ${headerBytes} bytes`)
  }
  const dataBytes = source.sizeBytes - 8 - headerBytes
  if (dataBytes < 0) {
    throw bad(
      `is cut off: its header has ${headerBytes} bytes, and it has ${source.sizeBytes}; download it again`,
    )
  }
  const start = await source.read(8, 1)
  if (start[0] !== 0x7b) throw bad('is not a safetensors file: its header is no JSON object')
  const text = await source.read(8, headerBytes)
  if (text.length < headerBytes) throw bad('has become shorter while it was read')
  const header = parseJson(text.toString('utf8'))
  if (typeof header !== 'object' || header === null) {
    throw bad('is damaged: its header is no JSON; download it again')
  }
  return { tensors: readTensors(header, dataBytes, bad) }
}

function readTensors(
  header: object,
  dataBytes: number,
  bad: (what: string) => WeightsError,
): readonly SafetensorsTensor[] {
  const placed: { begin: number; end: number; tensor: SafetensorsTensor }[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const entry = tensorEntry.safeParse(value)
    const label = JSON.stringify(name.slice(0, 100))
    if (!entry.success) throw bad(`is damaged: tensor ${label} has no type, shape and place`)
    const { dtype, shape, data_offsets } = entry.data
    const bits = typeBits.get(dtype)
    if (bits === undefined) {
      throw bad(
        `has tensor ${label} of type ${JSON.stringify(dtype.slice(0, 20))}, which this version of Motley does not know`,
      )
    }
    const [begin, end] = data_offsets
    const expectedBytes = (shape.reduce((product, length) => product * length, 1) * bits) / 8
    if (end - begin !== expectedBytes) {
      throw bad(
        `is damaged: tensor ${label} has ${end - begin} bytes where its shape needs ${expectedBytes}`,
      )
    }
    placed.push({ begin, end, tensor: { name, type: dtype, shape, bytes: end - begin } })
  }
  placed.sort((one, other) => one.begin - other.begin || one.end - other.end)
  let at = 0
  for (const { begin, end, tensor } of placed) {
    if (begin !== at) {
      throw bad(`is damaged: tensor ${JSON.stringify(tensor.name)} begins at ${begin}, not ${at}`)
    }
    at = end
  }
  if (at !== dataBytes) {
    const what = at > dataBytes ? 'is cut off' : 'is longer than its tensors'
    throw bad(`${what}: they end at byte ${at} of ${dataBytes}; download it again`)
  }
  return placed.map(({ tensor }) => tensor)
}
