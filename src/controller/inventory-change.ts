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

/** Less comes and goes with every page that somebody opens. */
const freedBytesMin = 512 * 2 ** 20

/** Whether memory has come free: a game was closed, or what was told to end has ended at last. */
export function hasFreedMemory(before: ReportedInventory | null, now: ReportedInventory): boolean {
  return now.devices.some((device, index) => {
    const earlier = before?.devices[index]
    if (earlier === undefined || earlier.name !== device.name) return false
    const [used, usedBefore] = [device['usedMemoryBytes'], earlier['usedMemoryBytes']]
    return (
      typeof used === 'number' &&
      typeof usedBefore === 'number' &&
      usedBefore - used >= freedBytesMin
    )
  })
}
