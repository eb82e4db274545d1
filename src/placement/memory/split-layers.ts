/**
 * Which layers lie on which device. The output counts as one more layer at the end; devices get
 * layers in turn, as many as their part of all usable memory says, as llama.cpp does. Layers that
 * stay on the host are the first ones.
 *
 *   33 layers of two equal devices:   0 … 16 │ 17 … 31, output
 */
export function splitLayers(
  layerCount: number,
  deviceBytes: readonly number[],
  layersOnHost: number,
): readonly LayerRange[] {
  const total = deviceBytes.reduce((sum, bytes) => sum + Math.max(0, bytes), 0)
  const onDevices = layerCount + 1 - layersOnHost
  let begin = layersOnHost
  let seen = 0
  return deviceBytes.map((bytes, index) => {
    seen += Math.max(0, bytes)
    const isLast = index === deviceBytes.length - 1
    const part = total === 0 ? (index + 1) / deviceBytes.length : seen / total
    const end = isLast
      ? layerCount + 1
      : // A layer belongs to the first device whose border lies beyond its own beginning.
        Math.max(begin, layersOnHost + Math.ceil(part * onDevices - 1e-9))
    const range = { begin, end: Math.min(end, layerCount), hasOutput: isLast }
    begin = end
    return range
  })
}

/** From `begin` up to, and without, `end`. */
export interface LayerRange {
  readonly begin: number
  readonly end: number
  readonly hasOutput: boolean
}
