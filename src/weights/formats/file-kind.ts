/**
 * What a file is by its first bytes: weights of a format that engines read, or something that people
 * take for weights by mistake, as the page that a link leads to.
 */
import type { WeightsFormat } from '#core/engine-build.ts'

/** Enough of a file to know it: the longest sign is the root of an XML document behind its comments. */
export const startBytes = 512

export type FileKind =
  | { readonly kind: 'weights'; readonly format: WeightsFormat }
  /** PyTorch's own: a ZIP archive with pickles in it, or a bare one. Only some engines read those. */
  | { readonly kind: 'pickle'; readonly what: string }
  /** It cannot be weights. */
  | { readonly kind: 'stranger'; readonly what: string; readonly advice: string }
  /** Bytes without a sign, such as the numbers of OpenVINO beside its XML. */
  | { readonly kind: 'unknown' }

/** @param start the first {@link startBytes}, fewer only where the file ends. */
export function fileKindOf(start: Buffer): FileKind {
  const sign = start.toString('latin1')
  if (sign.startsWith('GGUF')) return { kind: 'weights', format: 'gguf' }
  if (isSafetensors(start)) return { kind: 'weights', format: 'safetensors' }
  // 0x67676d6c, little endian, as whisper.cpp writes it.
  if (sign.startsWith('lmgg')) return { kind: 'weights', format: 'ggml' }
  if (isCtranslate2(start)) return { kind: 'weights', format: 'ctranslate2' }
  if (isPickle(start)) return { kind: 'pickle', what: 'a pickle' }
  if (start.length === 0) return stranger('empty')
  const known = binarySigns.find(([begin]) => sign.startsWith(begin))
  if (known !== undefined) return known[1]
  if (sign.slice(257, 262) === 'ustar') return archive('a tar archive')
  return isText(start) ? textKind(start.toString('utf8')) : { kind: 'unknown' }
}

/** The sign of a protocol and its number; older ones begin with text. */
function isPickle([sign, protocol = 0]: Buffer): boolean {
  return sign === 0x80 && protocol >= 2 && protocol <= 5
}

/** Eight bytes of length, then a JSON object; see safetensors.ts. */
function isSafetensors(start: Buffer): boolean {
  if (start.length < 9 || start[8] !== 0x7b) return false
  const headerBytes = start.readBigUInt64LE()
  return headerBytes >= 2 && headerBytes <= 100_000_000
}

/**
 * `model.bin`: a version, then the name of its specification with its length in front and a zero
 * behind it, as `WhisperSpec`; see CTranslate2's `model_spec.py`.
 */
function isCtranslate2(start: Buffer): boolean {
  if (start.length < 6) return false
  const nameBytes = start.readUInt16LE(4)
  const name = start.subarray(6, 6 + nameBytes).toString('latin1')
  return start.readUInt32LE() < 256 && /^[A-Za-z0-9]{1,60}Spec\0$/.test(name)
}

function stranger(what: string, advice = ''): FileKind {
  return { kind: 'stranger', what, advice }
}

function archive(what: string): FileKind {
  return stranger(what, 'unpack it, and pull what is in it as file:/path')
}

const binarySigns: readonly (readonly [string, FileKind])[] = [
  ['PK\x03\x04', { kind: 'pickle', what: 'a ZIP archive' }],
  ['\x1f\x8b', archive('a gzip archive')],
  ['BZh', archive('a bzip2 archive')],
  ['\xfd7zXZ\0', archive('an xz archive')],
  ['\x28\xb5\x2f\xfd', archive('a zstd archive')],
  ['7z\xbc\xaf\x27\x1c', archive('a 7z archive')],
  ['Rar!', archive('a RAR archive')],
  ['%PDF-', stranger('a PDF document')],
  ['\x89PNG', stranger('a picture')],
  ['\xff\xd8\xff', stranger('a picture')],
  ['\x7fELF', stranger('a program')],
  ['\x93NUMPY', stranger('an array of NumPy')],
  ['\x89HDF', stranger('HDF5, as Keras writes it', 'look for safetensors or GGUF of it')],
]

/** UTF-8 without control letters other than those of text. A letter may be cut at the end. */
function isText(start: Buffer): boolean {
  if (!start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))) return false
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(start, { stream: true })
    return true
  } catch {
    return false
  }
}

function textKind(text: string): FileKind {
  const begin = text.replace(/^\uFEFF/, '').trimStart()
  if (/^(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b/is.test(begin)) return page
  if (begin.startsWith('<?xml') || begin.startsWith('<net ')) {
    if (/<net\s/.test(begin)) return { kind: 'weights', format: 'openvino' }
    return /<html\b/i.test(begin) ? page : stranger('an XML document')
  }
  if (begin.startsWith('version https://git-lfs')) {
    return stranger(
      'a pointer of Git LFS and not the file itself',
      '"git lfs pull" brings the file, or pull it from its hub',
    )
  }
  return stranger(/^[[{]/.test(begin) ? 'JSON' : 'text')
}

const page: FileKind = stranger('an HTML page', 'the link is to a page and not to the file')
