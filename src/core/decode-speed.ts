/**
 * How fast one answer can be written at best. To decode a token, all weights are read once, so the
 * bandwidth of the memory that holds them bounds tokens a second. Prompts are read many tokens at a
 * time, and are bound by computing instead. A mixture of experts reads only some of its weights and
 * may be faster than this: then the comparison says less, and never something false.
 */

/** Faster than this, starting kernels takes longer than reading a small model. */
const tokensPerSecondMax = 500

/**
 * Engines reach half to nine tenths of the bound. A fifth is out of reach of any setting: the model
 * is not where it was meant to be, or somebody else uses the device.
 */
const farUnderRatio = 1 / 5

/**
 * Over several devices the weights are taken to lie in equal parts that are read one after the other:
 * devices that work at the same time are faster, so nothing too high comes out. Null where the size
 * or the bandwidth of any device is unknown.
 */
export function decodeBoundTokensPerSecond(
  weightsBytes: number,
  bandwidthsBytesPerSecond: readonly (number | null)[],
): number | null {
  const known = bandwidthsBytesPerSecond.filter((bandwidth) => bandwidth !== null && bandwidth > 0)
  if (!(weightsBytes > 0) || known.length === 0) return null
  if (known.length < bandwidthsBytesPerSecond.length) return null
  const part = weightsBytes / known.length
  const seconds = known.reduce((total: number, bandwidth) => total + part / (bandwidth ?? 1), 0)
  return Math.min(tokensPerSecondMax, 1 / seconds)
}

/** In a sentence; null when it is as fast as can be expected, or nobody knows. */
export function slowDecodeAlarm(
  decodeTokensPerSecond: number,
  boundTokensPerSecond: number | null,
  deviceName: string,
): string | null {
  if (boundTokensPerSecond === null) return null
  if (decodeTokensPerSecond >= boundTokensPerSecond * farUnderRatio) return null
  const rate = (value: number) => (value < 10 ? value.toFixed(1) : String(Math.round(value)))
  return `It writes ${rate(decodeTokensPerSecond)} tokens/s where the memory of ${deviceName} allows ${rate(boundTokensPerSecond)}: it computes elsewhere, or shares the device.`
}
