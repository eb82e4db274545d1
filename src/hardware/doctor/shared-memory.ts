import { memoryText } from '#core/memory-text.ts'
import type { Rule } from '#hardware/doctor/rule.ts'

/** What NCCL and RCCL want for each GPU that works on one model. Containers get 64 MiB. */
const bytesPerGpu = 2 ** 30

export const sharedMemory: Rule = ({ inventory, checkup }) => {
  const { sharedMemoryBytes } = checkup
  const gpus = inventory.devices.filter(
    ({ vendor, integrated, parent }) =>
      (vendor === 'nvidia' || vendor === 'amd') && integrated !== true && parent === null,
  )
  if (sharedMemoryBytes === null || gpus.length < 2) return []
  const needed = gpus.length * bytesPerGpu
  if (sharedMemoryBytes >= needed) return []
  return [
    {
      severity: 'warning',
      what: `/dev/shm has ${memoryText(sharedMemoryBytes)} for ${gpus.length} GPUs.`,
      why: 'Tensor parallelism talks through it: engines hang at start or end with "Bus error".',
      fix: `In a container: --ipc=host, or --shm-size=${Math.ceil(needed / 2 ** 30)}g. On a host: sudo mount -o remount,size=${Math.ceil(needed / 2 ** 30)}G /dev/shm`,
    },
  ]
}
