/** The probes, in the order in which their devices are shown. Vulkan completes what others found. */
import { amd } from '#hardware/amd.ts'
import { apple } from '#hardware/apple.ts'
import { cpu } from '#hardware/cpu.ts'
import { intel } from '#hardware/intel.ts'
import { nvidia } from '#hardware/nvidia.ts'
import type { Probe } from '#hardware/probe.ts'
import { vulkan } from '#hardware/vulkan.ts'

export const probes: readonly Probe[] = [nvidia, amd, apple, intel, vulkan, cpu]
