import type { MemoryNeed } from '#placement/fit.ts'

/**
 * What a replica claims, by device id. What it takes of the machine's memory beside its devices
 * stands under the id of the CPU; `cpuDevice` is null where nobody has told of one.
 */
export function claimedBytes(
  { devices, hostBytes }: MemoryNeed,
  cpuDevice: string | null,
): Record<string, number> {
  const claims = new Map(devices.map(({ device, needBytes }) => [device, needBytes]))
  if (cpuDevice !== null && hostBytes > 0) {
    claims.set(cpuDevice, (claims.get(cpuDevice) ?? 0) + hostBytes)
  }
  return Object.fromEntries(claims)
}
