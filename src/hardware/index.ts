/** The probes, in the order in which their devices are shown. */
import { amd } from '#hardware/amd.ts'
import { nvidia } from '#hardware/nvidia.ts'
import type { Probe } from '#hardware/probe.ts'

export const probes: readonly Probe[] = [nvidia, amd]
