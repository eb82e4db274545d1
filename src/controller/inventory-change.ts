/**
 * Which news of an inventory are worth writing down. Load, temperatures and who uses what change
 * with every look: they are shown, and not remembered.
 */
import type { ReportedInventory } from '#protocol/agent-messages.ts'

const passing: ReadonlySet<string> = new Set([
  'usedMemoryBytes',
  'usedBytes',
  'memoryUsers',
  'powerWatts',
  'temperatureCelsius',
  'utilizationRatio',
  'freeDiskBytes',
  'diskBytesPerSecond',
  'networkBytesPerSecond',
])

export function isLastingChange(before: ReportedInventory | null, now: ReportedInventory): boolean {
  return before === null || lasting(before) !== lasting(now)
}

function lasting(inventory: ReportedInventory): string {
  return JSON.stringify(inventory, (name, value) => (passing.has(name) ? undefined : value))
}
