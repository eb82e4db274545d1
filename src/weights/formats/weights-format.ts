/** Whether files make a model that an engine can read, and in which format. Pure: see file-kind.ts. */
import type { WeightsFormat } from '#core/engine-build.ts'
import { parseJson } from '#std/parse-json.ts'
import { fileKindOf } from '#weights/formats/file-kind.ts'

export interface StartedFile {
  /** Below the folder of the model. */
  readonly path: string
  /** Its first bytes; of `config.json` all that matters. */
  readonly start: Buffer
}

/**
 * Why a file cannot be part of a model, as the end of a sentence that begins with its name; null
 * where it may be one. What lies beside weights may be anything.
 */
export function strangeness({ path, start }: StartedFile): string | null {
  const ending = /\.(gguf|safetensors)$/i.exec(path)?.[1]?.toLowerCase()
  if (ending === undefined && besideWeights.test(path)) return null
  const kind = fileKindOf(start)
  if (kind.kind === 'stranger')
    return `is ${kind.what}, no model${kind.advice && `: ${kind.advice}`}`
  if (kind.kind === 'pickle' && !/\.(pth|pt|bin|ckpt)$/i.test(path)) {
    return `is ${kind.what}, no model: engines read ${readableFormats}`
  }
  if (ending === undefined || (kind.kind === 'weights' && kind.format === ending)) return null
  const found = kind.kind === 'weights' ? `is ${kind.format}` : 'is something else'
  return `is called .${ending} and ${found}: it is damaged, or has the wrong name`
}

/** Null where no engine reads these files. */
export function weightsFormatOf(files: readonly StartedFile[]): WeightsFormat | null {
  const kinds = new Map(files.map(({ path, start }) => [path, fileKindOf(start)]))
  const has = (path: RegExp) => files.some((file) => path.test(file.path))
  const isOf = (path: string, format: WeightsFormat) => {
    const kind = kinds.get(path)
    return kind?.kind === 'weights' && kind.format === format
  }
  const holds = (format: WeightsFormat) => files.some(({ path }) => isOf(path, format))
  if (holds('gguf')) return 'gguf'
  if (holds('safetensors')) return isMlx(files) ? 'mlx' : 'safetensors'
  const isIr = ({ path }: StartedFile) =>
    isOf(path, 'openvino') && kinds.has(path.replace(/\.xml$/i, '.bin'))
  if (files.some(isIr)) return 'openvino'
  if (holds('ctranslate2') && has(/(^|\/)config\.json$/)) return 'ctranslate2'
  if (holds('ggml')) return 'ggml'
  if (has(/(^|\/)kokoro[^/]*\.pth$/) && has(/(^|\/)config\.json$/)) return 'kokoro'
  if (has(/(^|\/)model\.pth$/) && has(/(^|\/)vocab\.json$/)) return 'xtts'
  return null
}

/** For people: what a model may be. */
export const readableFormats =
  'GGUF, safetensors, GGML of whisper.cpp, OpenVINO IR (.xml and .bin), CTranslate2, and folders of Kokoro and XTTS'

const besideWeights = /\.(json|jinja|model|txt|tiktoken|md|yaml|yml)$/i

/** MLX says group size and bits; quantizations for others name their method beside them. */
function isMlx(files: readonly StartedFile[]): boolean {
  const config = files.find(({ path }) => /(^|\/)config\.json$/.test(path))
  const parsed = config && (parseJson(config.start.toString('utf8')) as Record<string, unknown>)
  return isMlxConfig(parsed)
}

export function isMlxConfig(config: unknown): boolean {
  if (typeof config !== 'object' || config === null) return false
  const quantization: unknown = Reflect.get(config, 'quantization')
  if (typeof quantization !== 'object' || quantization === null) return false
  return 'group_size' in quantization && 'bits' in quantization && !('quant_method' in quantization)
}
