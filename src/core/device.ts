/**
 * A device is one GPU, one slice of a GPU (MIG), or the CPU with its memory. Agents report devices,
 * placement chooses among them, `motley detect --json` prints them. A fact that no tool and no file
 * told is null, never guessed.
 */
import { z } from 'zod'

export const vendors = ['nvidia', 'amd', 'apple', 'intel', 'cpu', 'other'] as const
export type Vendor = (typeof vendors)[number]

/** What engines are built against, and what the version of each counts. */
export const runtimes = [
  'cuda', // the highest CUDA the driver can run, as 12.4; not an installed toolkit
  'rocm', // the ROCm user space
  'metal', // the Metal generation, 3 or 4
  'levelZero', // the Level Zero driver
  'vulkan', // the API version the driver offers
] as const
export type Runtime = (typeof runtimes)[number]

/** The most memory a device is believed to have: more is a misread figure. */
const memoryBytesMax = 64 * 2 ** 40

const bytes = z.int().min(0).max(memoryBytesMax)

const pool = z.object({ totalBytes: bytes, usedBytes: bytes.nullable() })
export type MemoryPool = z.infer<typeof pool>

const memory = z.object({
  /** Memory of its own: GDDR or HBM. */
  dedicated: pool.nullable(),
  /** All of it is the memory of the machine, without a border: Apple silicon, GB10, the CPU. */
  unified: pool.nullable(),
  /** What the BIOS cut out of the machine's memory for an integrated GPU. */
  carveOut: pool.nullable(),
  /** What an integrated GPU may map of the machine's memory beside its carve-out (GTT). */
  shared: pool.nullable(),
  /** Held back by the driver: never usable, and not counted as used. */
  reservedBytes: bytes.nullable(),
  /** The most that the GPU may hold at a time where the system caps it, as macOS does. */
  limitBytes: bytes.nullable(),
})
export type DeviceMemory = z.infer<typeof memory>

const memoryUser = z.object({
  pid: z.int().min(0),
  name: z.string().nullable(),
  /** Null where the system does not tell, as Windows for each process. */
  usedMemoryBytes: bytes.nullable(),
})
export type MemoryUser = z.infer<typeof memoryUser>

export const linkKinds = ['nvlink', 'xgmi', 'xe-link', 'pcie', 'same-card'] as const

const link = z.object({
  /** `index` of the device at the other end, of the same vendor; null for a switch. */
  peerIndex: z.int().min(0).nullable(),
  kind: z.enum(linkKinds),
  /** In the words of the tool: NV12, PHB, 18 × 26.562 GB/s. */
  detail: z.string().nullable(),
})
export type DeviceLink = z.infer<typeof link>

/**
 * How fast weights can be read, which bounds tokens per second. The borders are those between
 * kinds of machines: a PC's CPU, laptops and integrated GPUs (below 150 GB/s), workstation CPUs
 * and wide unified memory (below 400), graphics cards (below 1200), HBM.
 */
export const bandwidthClasses = ['narrow', 'wide', 'graphics', 'hbm'] as const
export type BandwidthClass = (typeof bandwidthClasses)[number]

export function bandwidthClassOf(bytesPerSecond: number): BandwidthClass {
  const gigabytes = bytesPerSecond / 1e9
  if (gigabytes < 150) return 'narrow'
  if (gigabytes < 400) return 'wide'
  return gigabytes < 1_200 ? 'graphics' : 'hbm'
}

/** The `reason` of a device that nothing can be planned for. */
export const unknownMemory = 'the size of its memory is unknown'

export const device = z.object({
  vendor: z.enum(vendors),
  name: z.string().min(1).max(160),
  /** Its number in the vendor's own order: nvidia-smi, HIP, xpu-smi. */
  index: z.int().min(0).max(4_095).nullable(),
  /** Its number for Vulkan, which counts all vendors together. */
  vulkanIndex: z.int().min(0).max(4_095).nullable(),
  /** PCI address, as 0000:01:00.0. */
  busId: z.string().nullable(),
  uuid: z.string().nullable(),
  /** PCI device id, as 0x2684. */
  pciDeviceId: z.string().nullable(),
  /** Of a MIG instance, the `busId` or `uuid` of its GPU. */
  parent: z.string().nullable(),
  /** Of a MIG instance or a partition its profile: 3g.40gb, CPX/NPS4. */
  partition: z.string().nullable(),
  /** What an engine may plan with: the largest single pool of `memory`. */
  memoryBytes: bytes.nullable(),
  /** Of that pool. */
  usedMemoryBytes: bytes.nullable(),
  memory,
  /** Who uses it; null when no tool tells, empty when nobody does. */
  memoryUsers: z.array(memoryUser).nullable(),
  /** Whether it shares its memory with the CPU. */
  unifiedMemory: z.boolean().nullable(),
  /** Whether it is part of the CPU's package. */
  integrated: z.boolean().nullable(),
  /** What kernels are compiled for: sm_89, gfx1151, apple9, xe-hpg, x86_64. */
  architecture: z.string().nullable(),
  /** Streaming multiprocessors, compute units, GPU cores, Xe vector engines; cores of a CPU. */
  computeUnits: z.int().min(0).max(1e6).nullable(),
  /** Instruction sets of a CPU that engines ask for: avx2, avx512f, amx_tile, neon … */
  features: z.array(z.string()),
  driverVersion: z.string().nullable(),
  /**
   * Versions of the runtimes it has. The vendor's own is always there, and null when its version is
   * unknown or the driver offers none.
   */
  runtimes: z.partialRecord(z.enum(runtimes), z.string().nullable()),
  powerWatts: z.number().min(0).max(5_000).nullable(),
  powerLimitWatts: z.number().min(0).max(5_000).nullable(),
  temperatureCelsius: z.number().min(0).max(150).nullable(),
  /** The share of time it computed, 0 to 1. */
  utilizationRatio: z.number().min(0).max(1).nullable(),
  /** By specification of its kind; what an engine reaches is half to nine tenths of it. */
  memoryBandwidthBytesPerSecond: z.number().min(0).max(1e14).nullable(),
  memoryBandwidthClass: z.enum(bandwidthClasses).nullable(),
  pcieGeneration: z.int().min(1).max(9).nullable(),
  pcieLanes: z.int().min(1).max(64).nullable(),
  links: z.array(link),
  numaNode: z.int().min(0).max(4_095).nullable(),
  /** Whether placement may use it unless somebody says otherwise; `reason` says why not. */
  schedulable: z.boolean(),
  reason: z.string().nullable(),
})
export type Device = z.infer<typeof device>

export const problem = z.object({
  /** `error`: something does not work. `warning`: it works badly or will fail. `note`: good to know. */
  severity: z.enum(['error', 'warning', 'note']),
  /** One sentence: what was seen. */
  what: z.string(),
  /** Why that matters here. */
  why: z.string(),
  /** The command that mends it, or what to do. */
  fix: z.string(),
})
export type Problem = z.infer<typeof problem>

/** What the node itself is, beside its devices. */
export const nodeFacts = z.object({
  kernelVersion: z.string().nullable(),
  numaNodes: z.int().min(0).nullable(),
  /** kernel.numa_balancing: 0 off, 1 on, 2 memory tiering; null where the kernel has none. */
  numaBalancing: z.int().min(0).max(2).nullable(),
  /** What it runs in, where it is no machine of its own. */
  container: z.enum(['kubernetes', 'docker', 'podman']).nullable(),
  wsl: z.boolean(),
})
export type NodeFacts = z.infer<typeof nodeFacts>
