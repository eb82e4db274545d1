/** What is known of how fast kinds of devices are, as data that is handed in. */
import type { Device } from '#core/device.ts'
import type { Backend } from '#core/engine-build.ts'

export interface DeviceKind {
  readonly id: string
  readonly bandwidthBytesPerSecond: number | null
  /** Dense, in 16-bit numbers. */
  readonly operationsPerSecond: number | null
}

/** One published measurement, of one request at a time. */
export interface ReferenceSpeed {
  readonly kind: string
  readonly backend: Backend
  /** Engines on ggml and others compute so differently that one says nothing about the other. */
  readonly family: 'ggml' | 'torch'
  /** Bytes that one token reads, and weights that compute it: of a mixture, the experts in use. */
  readonly activeBytes: number
  readonly activeParameters: number
  readonly promptTokensPerSecond: number | null
  readonly decodeTokensPerSecond: number | null
}

export interface SpeedReferences {
  /** Null for a device of no known kind. */
  readonly kindOf: (device: Device) => DeviceKind | null
  readonly speeds: readonly ReferenceSpeed[]
}
