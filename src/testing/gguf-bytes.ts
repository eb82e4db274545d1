/** Writes GGUF headers, for tests that need a model which is not here. */

export interface GgufTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Number and size of a ggml type, as [30, 1, 2] for BF16: id, weights and bytes of a block. */
  readonly type: readonly [id: number, blockWeights: number, blockBytes: number]
}

export type GgufMetadata = Readonly<Record<string, GgufEntry>>
type GgufEntry =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly number[]
  | readonly boolean[]

export interface GgufBytes {
  readonly header: Buffer
  /** Of the whole file; the tensors themselves are not made. */
  readonly fileBytes: number
}

const alignment = 32

export function ggufBytes(metadata: GgufMetadata, tensors: readonly GgufTensor[]): GgufBytes {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length)]
  parts.push(u64(Object.keys(metadata).length))
  for (const [key, value] of Object.entries(metadata)) {
    parts.push(text(key), u32(typeOf(value)), valueBytes(value))
  }
  let offset = 0
  for (const { name, shape, type } of tensors) {
    const [id, blockWeights, blockBytes] = type
    parts.push(text(name), u32(shape.length), ...shape.map(u64), u32(id), u64(offset))
    const bytes = (shape.reduce((all, each) => all * each, 1) / blockWeights) * blockBytes
    offset += Math.ceil(bytes / alignment) * alignment
  }
  const bare = Buffer.concat(parts)
  const header = Buffer.concat([bare, Buffer.alloc(-bare.length & (alignment - 1))])
  return { header, fileBytes: header.length + offset }
}

function valueBytes(value: GgufEntry): Buffer {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'boolean') return Buffer.from([value ? 1 : 0])
  if (typeof value === 'number') return Number.isInteger(value) ? u32(value) : f32(value)
  return Buffer.concat([u32(typeOf(value[0] ?? 0)), u64(value.length), ...value.map(valueBytes)])
}

function typeOf(value: GgufEntry): number {
  if (typeof value === 'string') return 8
  if (typeof value === 'boolean') return 7
  if (typeof value === 'number') return Number.isInteger(value) ? 4 : 6
  return 9
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
