import type { BandwidthClass } from '#core/device.ts'
import type { Task } from '#core/task.ts'
import type { Rank } from '#placement/planner/ranks/rank.ts'

/** Tasks that write token after token, which is what fast memory is bought for. */
const generating: ReadonlySet<Task> = new Set<Task>([
  'chat',
  'completion',
  'responses',
  'messages',
  'image',
  'ollama-chat',
  'ollama-generate',
])

const seconds: Readonly<Record<BandwidthClass, number>> = {
  narrow: 0,
  wide: 0.5,
  graphics: 1,
  hbm: 2,
}

/** No embedding model on the device that a chat model would be grateful for. */
export const deviceClass: Rank = {
  name: 'device',
  seconds({ deployment, devices }) {
    if (generating.has(deployment.task)) return 0
    return devices.reduce(
      (sum, { device }) => sum + seconds[device.memoryBandwidthClass ?? 'narrow'],
      0,
    )
  },
}
